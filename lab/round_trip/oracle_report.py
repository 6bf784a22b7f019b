import csv
from pathlib import Path
from typing import Dict, List, Union

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine import dump
from tabulate import tabulate

from .quantization_report import FLOOR, MARKERS, STYLES

# Heads of columns, the most telling first; evaluators with none of them have
# all that they give.
METRICS = {
    'coco/AP': 'AP',
    'coco/AP .75': 'AP75',
    'coco/AR': 'AR',
    'crowdpose/AP': 'AP',
    'crowdpose/AP .75': 'AP75',
    'crowdpose/AR': 'AR',
    'PCK@0.1': 'PCKh@0.1',
    'PCK': 'PCKh@0.5',
    'NME': 'NME',
}
# Of MMPose's codecs, from large to small: they may lie on each other.
MARKS = (*MARKERS, ('X', 9))
ERRORS = dict(mean='mean px', max='max px', mean_image='mean image px')


def write_oracle(results: List[Dict], folder: Union[str, Path]) -> None:
    """Write ``results.json``, ``.csv``, ``.md`` and ``.png``.

    Args:
        results: What :func:`oracle` measured, for each data set.
        folder: Where; it need not be there.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dump(dict(results=results), folder / 'results.json', indent=2)
    (folder / 'results.md').write_text(format_oracle(results) + '\n', 'utf-8')
    _write_csv(results, folder / 'results.csv')
    draw_oracle(results).savefig(folder / 'results.png', dpi=110)


def format_oracle(results: List[Dict]) -> str:
    """Tables in Markdown, one for each data set."""
    parts = ['# Annotations after encoding and decoding']
    for result in results:
        parts += [f'## {result["name"]}', _counts(result), _table(result)]
    return '\n\n'.join(parts)


def _counts(result: Dict) -> str:
    width, height = result['input_size']
    text = (f'{result["people"]} people, {result["points"]} keypoints, input '
            f'{width}x{height} px.')
    if result['outside']:
        text += f' {result["outside"]} more keypoints lie outside the crops.'
    if result['head_sizes']:
        text += (' There is no file of heads\' boxes: PCKh is in distances '
                 'from the upper neck to the top of the head.')
    return text


def _table(result: Dict) -> str:
    columns = metric_columns(result)
    body = [[
        *_codec_cells(row),
        *(_figure(row['metrics'][key]) for key in columns),
        *(f'{row[key]:.4f}' for key in ERRORS)
    ] for row in result['rows']]
    return tabulate(
        body,
        headers=['codec', 'Gaussian on', 'grid', 'refine', *columns.values(),
                 *ERRORS.values()],
        tablefmt='pipe',
        disable_numparse=True,
        colalign=('left', 'left', 'right', 'left') +
        (len(columns) + len(ERRORS)) * ('right', ))


def metric_columns(result: Dict) -> Dict[str, str]:
    """Which metrics to show of a result, and the heads of their columns."""
    there = result['rows'][0]['metrics']
    known = {key: head for key, head in METRICS.items() if key in there}
    return known or {key: key for key in there}


def _codec_cells(row: Dict) -> List[str]:
    if 'grid' not in row:
        return [row['name'], '', '', '']
    place = 'nearest cell' if row['rounded'] else 'keypoint'
    return [row['name'], place, 'x'.join(map(str, row['grid'])),
            row['refine']]


def _figure(value: float) -> str:
    # PCK is in percent.
    return f'{value:.2f}' if value > 1 else f'{value:.4f}'


def _write_csv(results: List[Dict], path: Path) -> None:
    heads = list(dict.fromkeys(
        head for result in results
        for head in metric_columns(result).values()))
    with path.open('w', newline='', encoding='utf-8') as stream:
        writer = csv.writer(stream, lineterminator='\n')
        writer.writerow(['data set', 'codec', 'Gaussian on', 'grid', 'refine',
                         *heads, *ERRORS.values()])
        for result in results:
            columns = {head: key
                       for key, head in metric_columns(result).items()}
            for row in result['rows']:
                values = [row['metrics'].get(columns.get(head), '')
                          for head in heads]
                writer.writerow([result['name'], *_codec_cells(row), *values,
                                 *(row[key] for key in ERRORS)])


def draw_oracle(results: List[Dict]) -> Figure:
    """Draw the first metric and the mean error against the grid.

    Args:
        results: What :func:`oracle` measured, for each data set.

    Returns:
        The picture, a column for each data set.
    """
    figure = Figure(
        figsize=(3.3 * len(results) + 1, 7.5), layout='constrained')
    axes = figure.subplots(2, len(results), squeeze=False)
    for (metric_ax, error_ax), result in zip(axes.T, results):
        key, head = next(iter(metric_columns(result).items()))
        exact, *rows = result['rows']
        _draw(metric_ax, rows, [row['metrics'][key] for row in rows])
        best = exact['metrics'][key]
        metric_ax.axhline(best, color='0.6', linewidth=0.8, zorder=0)
        if best > 0:  # nothing is above it but the luck of a ranking
            metric_ax.set_ylim(top=1.01 * best)
        metric_ax.set_ylabel(head)
        metric_ax.set_title(
            f'{result["name"]}\n{result["people"]} people', fontsize=10)
        _draw(error_ax, rows, [max(row['mean'], FLOOR) for row in rows])
        error_ax.set_yscale('log')
        error_ax.set_ylim(FLOOR / 1.6, 10)
        error_ax.set_yticks([1e-3, 1e-2, 0.1, 1, 10],
                            ['≤ 0.001', '0.01', '0.1', '1', '10'])
        error_ax.set_ylabel('mean error, input px')
        error_ax.set_xlabel('width of a cell, input px')
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', ncols=4,
                  fontsize=9, markerscale=0.7)
    return figure


def _draw(ax: Axes, rows: List[Dict], values: List[float]) -> None:
    pairs = [*zip(rows, values)]
    for refine, style in STYLES.items():
        line = [(row['cell'], value) for row, value in pairs
                if row['name'] == 'SRHeatmap' and row['refine'] == refine]
        ax.plot(*zip(*line), markersize=6, label=f'SRHeatmap, {refine}',
                **style)
    others = [pair for pair in pairs if pair[0]['name'] != 'SRHeatmap']
    for (row, value), (marker, size) in zip(others, MARKS):
        ax.plot(
            row['cell'],
            value,
            marker,
            markersize=size,
            markerfacecolor='none',
            markeredgecolor='black',
            markeredgewidth=1.3,
            zorder=3,
            label=f'{row["name"]}, {row["refine"]}')
    cells = sorted({row['cell'] for row in rows}, reverse=True)
    ax.set_xscale('log')
    ax.set_xticks(cells, [f'{cell:g}' for cell in cells])
    ax.set_xticks([], minor=True)
    ax.set_xlim(cells[0] * 1.3, cells[-1] / 1.3)
    ax.grid(alpha=0.3)
