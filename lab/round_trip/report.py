"""Tables and a picture of round trips."""
from pathlib import Path
from typing import Dict, List, Union

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine import dump

# Metrics and their columns, the most telling first. Results with none of them
# show all their metrics.
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
ERRORS = dict(mean='mean px', median='median px', p95='95 % px', max='max px',
              mean_cells='mean cells', mean_image='mean image px')
# Errors below this many px are drawn at it.
FLOOR = 1e-3
# Lines and marks from large to small, as they may coincide.
STYLES = dict(
    none=dict(color='black', marker='o', linewidth=7, alpha=0.3),
    shift=dict(color='tab:orange', marker='s', linewidth=4, alpha=0.8),
    dark=dict(color='tab:blue', marker='^', linewidth=2),
    parabola=dict(color='tab:red', marker='v', linestyle='--', linewidth=1.2))
MARKS = (('D', 17), ('s', 12), ('o', 8), ('X', 9), ('P', 9))


def write_round_trips(results: List[Dict], folder: Union[str, Path]) -> None:
    """Write ``results.json``, ``.csv``, ``.md`` and ``.png`` to a folder.

    Args:
        results: A result of :func:`measure_round_trip` for each source.
        folder: The folder, which need not exist.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dump(dict(results=results), folder / 'results.json', indent=2)
    (folder / 'results.md').write_text(
        format_round_trips(results) + '\n', 'utf-8')
    frames = [result_frame(result).assign(**{'dataset': result['name']})
              for result in results]
    frame = pd.concat(frames, ignore_index=True)
    heads = ['dataset', 'codec', 'Gaussian on', 'grid', 'refine']
    errors = [column for column in ERRORS.values() if column in frame]
    metrics = [column for column in frame if column not in heads + errors]
    frame.to_csv(folder / 'results.csv', index=False,
                 columns=heads + metrics + errors)
    draw_round_trips(results).savefig(folder / 'results.png', dpi=110)


def format_round_trips(results: List[Dict]) -> str:
    """Return a table in Markdown for each source."""
    parts = ['# Keypoints after encoding and decoding']
    for result in results:
        table = result_frame(result)
        for column in table.columns[4:]:
            digits = 4 if column in ERRORS.values() else None
            table[column] = [_number(value, digits)
                             for value in table[column]]
        aligned = ['left', 'left', 'right', 'left']
        parts += [f'## {result["name"]}', _counts(result), table.to_markdown(
            index=False, disable_numparse=True,
            colalign=aligned + (table.shape[1] - 4) * ['right'])]
    return '\n\n'.join(parts)


def _number(value: float, digits=None) -> str:
    # PCK is in percent.
    return f'{value:.{digits or (2 if value > 1 else 4)}f}'


def _counts(result: Dict) -> str:
    width, height = result['input_size']
    text = (f'{result["instances"]} instances, {result["points"]} keypoints, '
            f'input {width}x{height} px.')
    if result['outside']:
        text += f' {result["outside"]} more keypoints are outside the crops.'
    if result['head_sizes']:
        text += (' The file of head boxes is missing: PCKh is relative to the '
                 'distance from the upper neck to the top of the head.')
    return text


def metric_columns(result: Dict) -> Dict[str, str]:
    """Return the metrics to show of a result, and their columns."""
    metrics = result['rows'][0].get('metrics', {})
    known = {key: head for key, head in METRICS.items() if key in metrics}
    return known or {key: key for key in metrics}


def result_frame(result: Dict) -> pd.DataFrame:
    """Return the rows of a result with the columns of the table."""
    lines = []
    for row in result['rows']:
        line = {'codec': row['name'], 'Gaussian on': '', 'grid': '',
                'refine': row.get('refine', '')}
        if 'grid' in row:
            line['Gaussian on'] = ('nearest cell' if row['rounded'] else
                                   'keypoint')
            line['grid'] = 'x'.join(map(str, row['grid']))
        for key, head in metric_columns(result).items():
            line[head] = row['metrics'][key]
        line.update((head, row[key]) for key, head in ERRORS.items()
                    if all(key in other for other in result['rows']))
        lines.append(line)
    return pd.DataFrame(lines)


def draw_round_trips(results: List[Dict]) -> Figure:
    """Draw the first metric and the mean error against the width of a cell.

    Args:
        results: A result of :func:`measure_round_trip` for each source, which
            is a column of the picture. If no source has metrics, the picture
            has no row of metrics.
    """
    scored = any(metric_columns(result) for result in results)
    figure = Figure(layout='constrained',
                    figsize=(max(3.3 * len(results) + 1, 5.5),
                             7.5 if scored else 5))
    axes = figure.subplots(1 + scored, len(results), squeeze=False)
    for column, result in zip(axes.T, results):
        rows = [row for row in result['rows'] if 'cell' in row]
        column[0].set_title(f'{result["name"]}\n{result["instances"]} '
                            'instances', fontsize=10)
        if scored and not metric_columns(result):
            column[0].set_axis_off()
        for key, head in [*metric_columns(result).items()][:1]:
            _draw(column[0], rows, [row['metrics'][key] for row in rows])
            best = result['rows'][0]['metrics'][key]
            column[0].axhline(best, color='0.6', linewidth=0.8, zorder=0)
            if best > 0:  # only a lucky ranking scores more
                column[0].set_ylim(top=1.01 * best)
            column[0].set_ylabel(head)
        ax = column[-1]
        _draw(ax, rows, [max(row['mean'], FLOOR) for row in rows])
        ax.set_yscale('log')
        ax.set_ylim(FLOOR / 1.6, 10)
        ax.set_yticks([1e-3, 1e-2, 0.1, 1, 10],
                      ['≤ 0.001', '0.01', '0.1', '1', '10'])
        ax.set_ylabel('mean error, input px')
        ax.set_xlabel('width of a cell, input px')
    handles, labels = axes[-1, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc='outside lower center', fontsize=9,
                  ncols=4 if len(results) > 2 else 2, markerscale=0.7)
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
        ax.plot(row['cell'], value, marker, markersize=size, zorder=3,
                markerfacecolor='none', markeredgecolor='black',
                markeredgewidth=1.3, label=f'{row["name"]}, {row["refine"]}')
    cells = sorted({row['cell'] for row in rows}, reverse=True)
    ax.set_xscale('log')
    ax.set_xticks(cells, [f'{cell:g}' for cell in cells])
    ax.set_xticks([], minor=True)
    ax.set_xlim(cells[0] * 1.3, cells[-1] / 1.3)
    ax.grid(alpha=0.3)
