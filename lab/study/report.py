"""Keep the results of a study, and write its table and picture."""
import json
from pathlib import Path
from typing import List, Optional, Tuple, Union

import pandas as pd
import seaborn
from matplotlib.figure import Figure

from .study_file import Study, read_study

FACTS = ['training_seconds', 'epochs', 'backbone_params', 'other_params',
         'gflops', 'machine']


def read_results(path: Union[str, Path]) -> List[dict]:
    """Read the records of a results file; without a file, return none.

    A record has a ``row``, a ``seed`` and a ``test``, the ``metrics`` of
    MMPose's test script, the ``FACTS``, ``versions`` and ``commands``.

    Raises:
        ValueError: If the file has another content.
    """
    path = Path(path)
    if not path.is_file():
        return []
    try:
        records = json.loads(path.read_text('utf-8'))['records']
        for record in records:
            result_key(record)
    except (KeyError, TypeError, ValueError) as err:
        raise ValueError(
            f'expected {str(path)!r} to hold the results of a study, got '
            f'another content ({err!r}); name another file') from err
    return records


def write_results(path: Path, records: List[dict]) -> None:
    """Add records to a results file, or replace those of the same test."""
    known = {result_key(record): record for record in read_results(path)}
    known.update((result_key(record), record) for record in records)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix('.unfinished')
    text = json.dumps(dict(records=list(known.values())), indent=2)
    unfinished.write_text(text + '\n', 'utf-8')
    unfinished.replace(path)


def result_key(record: dict) -> Tuple[str, int, str]:
    """Return the row, seed and test of a record."""
    return record['row'], record['seed'], record['test']


def report_study(path: Union[str, Path],
                 results: Optional[Union[str, Path]] = None) -> str:
    """Write the report of the results that exist.

    Args:
        path: The study's file, see :func:`read_study`.
        results: JSON file of the results. ``None`` means ``results.json``
            beside the study. A table ``.md`` of means and standard
            deviations, a ``.csv`` with a line per row, test and seed, and a
            picture ``.png`` are written beside it.

    Returns:
        The table in Markdown.

    Raises:
        FileNotFoundError: If the study does not exist.
        ValueError: If the study or the results are wrong or empty.
    """
    study = read_study(path)
    return write_report(study,
                        Path(results or study.path.parent / 'results.json'))


def write_report(study: Study, results: Path) -> str:
    """Write the three files of :func:`report_study`; return the table."""
    keys = [(row.name, seed, test) for row in study.rows for test in row.tests
            for seed in row.seeds]
    known = {result_key(record): record for record in read_results(results)}
    records = [known[key] for key in keys if key in known]
    if not records:
        raise ValueError(f'expected results in {results}, got none of '
                         f'{study.path}; run the study first')
    frame = results_frame(study, records)
    frame.to_csv(results.with_suffix('.csv'), index=False)
    parts = [f'# {study.title}', results_table(study, frame),
             _notes(study, records)]
    text = '\n\n'.join(parts)
    results.with_suffix('.md').write_text(text + '\n', 'utf-8')
    draw_results(study, frame).savefig(results.with_suffix('.png'), dpi=130)
    return text


def results_frame(study: Study, records: List[dict]) -> pd.DataFrame:
    """Return a line for each record, with the columns of the study.

    Raises:
        ValueError: If a record lacks a metric of the study.
    """
    lines = []
    for record in records:
        missing = set(study.metrics.values()) - set(record['metrics'])
        if missing:
            raise ValueError(
                f'expected results with {", ".join(sorted(missing))}, got '
                f'{result_key(record)} without; remove the folder of this '
                'test and run the study')
        lines.append(
            dict(
                row=record['row'],
                test=record['test'],
                seed=record['seed'],
                **{column: record['metrics'][key]
                   for column, key in study.metrics.items()},
                **{fact: record[fact] for fact in FACTS}))
    return pd.DataFrame(lines)


def results_table(study: Study, frame: pd.DataFrame) -> str:
    """Return means and sample standard deviations over seeds in Markdown."""
    groups = frame.groupby(['row', 'test'], sort=False)
    columns = list(study.metrics)
    means, deviations = groups[columns].mean(), groups[columns].std()
    table = pd.DataFrame({
        column: map(_mean_and_deviation, means[column], deviations[column])
        for column in columns
    }, index=means.index)
    headline = means[study.headline]
    best = headline.min() if study.lower_is_better else headline.max()
    table.loc[headline == best, study.headline] = (
        '**' + table[study.headline] + '**')
    facts = groups[FACTS].first()
    table['seeds'] = groups.size()
    table['epochs'] = facts.epochs
    minutes = groups.training_seconds.mean() / 60
    table['training, min'] = minutes.map('{:.1f}'.format)
    table['backbone, M'] = (facts.backbone_params / 1e6).map('{:.2f}'.format)
    table['others, M'] = (facts.other_params / 1e6).map('{:.2f}'.format)
    table['GFLOPs'] = facts.gflops.map('{:.3f}'.format)
    return table.reset_index().to_markdown(
        index=False,
        disable_numparse=True,
        colalign=['left', 'left'] + table.shape[1] * ['right'])


def _mean_and_deviation(mean: float, deviation: float) -> str:
    text = f'{mean:#.4g}'
    if pd.isna(deviation):
        return text
    decimals = len(text.partition('.')[2])
    return f'{text} ± {deviation:.{decimals}f}'


def _notes(study: Study, records: List[dict]) -> str:
    machines = sorted({record['machine'] for record in records})
    versions = sorted({
        ', '.join(f'{name} {number}'
                  for name, number in record['versions'].items())
        for record in records
    })
    launches = sorted({
        f'{record["gpus"]} x {record["accumulate"]}'
        for record in records if 'gpus' in record
    } - {'1 x 1'})
    launched = (f' Trained on GPUs x accumulated batches: '
                f'{"; ".join(launches)}.' if launches else '')
    return (f'Mean ± sample standard deviation over seeds; {study.headline}: '
            f'{_sense(study)} is better, the best in bold. "others" are the '
            'parameters of neck and head that a prediction needs; the time '
            'is the mean of one training.\n\n'
            f'Measured on {"; ".join(machines)}. {"; ".join(versions)}.'
            f'{launched}')


def _sense(study: Study) -> str:
    return 'lower' if study.lower_is_better else 'higher'


def draw_results(study: Study, frame: pd.DataFrame) -> Figure:
    """Draw the headline: a light dot per seed, a bar for their mean."""
    tests = list(frame.test.unique())
    figure = Figure(figsize=(8, 1.4 + 0.16 * len(tests) * frame.row.nunique()),
                    layout='constrained')
    ax = figure.subplots()
    shared = dict(data=frame, x=study.headline, y='row', hue='test', ax=ax,
                  palette='colorblind')
    seaborn.stripplot(**shared, dodge=True, jitter=False, size=7, alpha=0.5)
    seaborn.pointplot(
        **shared, dodge=0.8 * (1 - 1 / len(tests)), linestyle='none',
        marker='|', markersize=14, errorbar=None, legend=False)
    ax.grid(axis='x', alpha=0.3)
    ax.set_ylabel('')
    ax.set_xlabel(f'{study.headline} ({_sense(study)} is better); a dot for '
                  'each seed, a bar for the mean')
    ax.set_title(study.title, fontsize=11)
    seaborn.move_legend(ax, 'center left', bbox_to_anchor=(1, 0.5),
                        frameon=False, title='tested with')
    return figure
