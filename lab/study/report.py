import csv
from pathlib import Path
from statistics import fmean
from typing import List, Optional, Union

from tabulate import tabulate

from srpose_mm.checkpoints.replacing import replacing

from .ledger import Ledger
from .lines import Line, study_lines
from .picture import draw_study
from .study_file import Study, read_study


def report_study(path: Union[str, Path],
                 results: Optional[Union[str, Path]] = None) -> str:
    """Write the report of a study from the results that are there.

    Args:
        path: The study's file, see :func:`read_study`.
        results: Its results, as for :func:`run_study`. ``.csv`` (a line for
            each row, test and seed), ``.md`` (a table of means and standard
            deviations) and ``.png`` are written beside them.

    Returns:
        The table in Markdown.

    Raises:
        FileNotFoundError: If the study is not there.
        ValueError: If the study or the results are something else, or if
            there are none yet.
    """
    study = read_study(path)
    return write_report(
        study, Ledger(results or study.path.parent / 'results.json'))


def write_report(study: Study, ledger: Ledger) -> str:
    """Write the three files; give back the table."""
    lines = study_lines(study, ledger.records())
    if not lines:
        raise ValueError(f'study: expected results in {ledger.path}, got '
                         f'none of {study.path}; run it first')
    text = format_study(study, lines)
    with replacing(ledger.path.with_suffix('.csv')) as unfinished:
        _write_csv(study, lines, unfinished)
    with replacing(ledger.path.with_suffix('.md')) as unfinished:
        unfinished.write_text(text + '\n', 'utf-8')
    with replacing(ledger.path.with_suffix('.png')) as unfinished:
        draw_study(study, lines).savefig(unfinished, dpi=130)
    return text


def format_study(study: Study, lines: List[Line]) -> str:
    """The table in Markdown, with what it was measured on."""
    better = min if study.lower_is_better else max
    best = better(line.mean(study.headline) for line in lines)
    body = []
    for line in lines:
        first = line.records[0]
        cells = [_mean_and_deviation(line, column) for column in study.metrics]
        if line.mean(study.headline) == best:
            index = list(study.metrics).index(study.headline)
            cells[index] = f'**{cells[index]}**'
        minutes = fmean(record['training_seconds']
                        for record in line.records) / 60
        body.append([
            line.row, line.test, *cells, len(line.records), first['epochs'],
            f'{minutes:.1f}', f'{first["backbone_params"] / 1e6:.2f}',
            f'{first["other_params"] / 1e6:.2f}', f'{first["gflops"]:.3f}'
        ])
    table = tabulate(
        body,
        headers=[
            'row', 'test', *study.metrics, 'seeds', 'epochs', 'training, min',
            'backbone, M', 'others, M', 'GFLOPs'
        ],
        tablefmt='pipe',
        disable_numparse=True,
        colalign=('left', 'left') + (len(study.metrics) + 6) * ('right', ))
    return '\n\n'.join([f'# {study.title}', table, _notes(study, lines)])


def _mean_and_deviation(line: Line, column: str) -> str:
    mean, deviation = line.mean(column), line.deviation(column)
    text = f'{mean:#.4g}'
    if deviation is None:
        return text
    decimals = len(text.partition('.')[2])
    return f'{text} ± {deviation:.{decimals}f}'


def _notes(study: Study, lines: List[Line]) -> str:
    records = [record for line in lines for record in line.records]
    machines = sorted({record['machine'] for record in records})
    versions = sorted({
        ', '.join(f'{name} {number}'
                  for name, number in record['versions'].items())
        for record in records
    })
    sense = 'lower' if study.lower_is_better else 'higher'
    launches = sorted({
        f'{record["gpus"]} x {record["accumulate"]}'
        for record in records if 'gpus' in record
    } - {'1 x 1'})
    launched = (f' Trained on GPUs x accumulated batches: '
                f'{"; ".join(launches)}.' if launches else '')
    return (f'Mean ± sample standard deviation over seeds; {study.headline}: '
            f'{sense} is better, the best in bold. "others" are the '
            'parameters of neck and head that a prediction needs; the time '
            'is the mean of one training.\n\n'
            f'Measured on {"; ".join(machines)}. {"; ".join(versions)}.'
            f'{launched}')


def _write_csv(study: Study, lines: List[Line], path: Path) -> None:
    with path.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream, lineterminator='\n')
        facts = ['training_seconds', 'epochs', 'backbone_params',
                 'other_params', 'gflops', 'machine']
        writer.writerow(['row', 'test', 'seed', *study.metrics, *facts])
        for line in lines:
            for index, record in enumerate(line.records):
                writer.writerow([
                    line.row, line.test, record['seed'],
                    *(values[index] for values in line.values.values()),
                    *(record[fact] for fact in facts)
                ])
