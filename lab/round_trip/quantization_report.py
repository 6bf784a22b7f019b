from pathlib import Path
from typing import Dict, List, Union

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tabulate import tabulate

# Errors below this many px are drawn at it: nobody sees them.
FLOOR = 1e-3
STYLES = dict(
    none=dict(color='black', marker='o', linewidth=7, alpha=0.3),
    shift=dict(color='tab:orange', marker='s', linewidth=4, alpha=0.8),
    dark=dict(color='tab:blue', marker='^', linewidth=2),
    parabola=dict(color='tab:red', marker='v', linestyle='--', linewidth=1.2))
# Marks of other codecs, from large to small: they may lie on each other.
MARKERS = (('D', 17), ('s', 12), ('o', 8))


def format_quantization(result: Dict) -> str:
    """What :func:`quantization` measured as a table in Markdown."""
    rows = [[
        row['name'], 'x'.join(map(str, row['grid'])), row['refine'],
        *(f'{row[key]:.4f}' for key in ('mean', 'median', 'p95', 'max')),
        f'{row["mean_cells"]:.3f}', f'{row["mean_image"]:.4f}'
    ] for row in result['rows']]
    table = tabulate(
        rows,
        headers=[
            'codec', 'grid', 'refine', 'mean px', 'median', '95 %', 'max',
            'mean cells', 'mean image px'
        ],
        tablefmt='github',
        disable_numparse=True,
        colalign=('left', 'right', 'left') + 6 * ('right', ))
    return f'{_title(result)}\n\n{table}'


def draw_quantization(result: Dict, path: Union[str, Path]) -> None:
    """Draw the mean error against the grid, a line for each refinement.

    Args:
        result: What :func:`quantization` measured.
        path: The picture's file.
    """
    figure = Figure(figsize=(11, 6), layout='constrained')
    titles = {
        True: 'Gaussian on the nearest cell (unbiased=False)',
        False: 'Gaussian on the keypoint (unbiased=True)'
    }
    axes = figure.subplots(1, 2, sharey=True)
    lines = [row for row in result['rows'] if _on_line(row)]
    others = [row for row in result['rows'] if not _on_line(row)]
    for ax, (rounded, title) in zip(axes, titles.items()):
        _draw_lines(ax, [r for r in lines if r['rounded'] == rounded])
        points = [row for row in others if row['rounded'] == rounded]
        for row, (marker, size) in zip(points, MARKERS):
            ax.plot(
                row['cell'],
                max(row['mean'], FLOOR),
                marker,
                markersize=size,
                markerfacecolor='none',
                markeredgecolor='black',
                markeredgewidth=1.3,
                zorder=3,
                label=f'{row["name"]}, {row["refine"]}')
        _label_grids(ax, [*lines, *others])
        ax.set_title(title, fontsize=11)
        ax.legend(
            fontsize=8,
            loc='upper center',
            bbox_to_anchor=(0.5, -0.2),
            ncols=2,
            markerscale=0.6)
    axes[0].set_ylabel('mean error of encode and decode, input px')
    figure.suptitle(_title(result), fontsize=10)
    figure.savefig(path, dpi=130)


def _draw_lines(ax: Axes, rows: List[dict]) -> None:
    # Where lines lie on each other the broader one is below.
    for refine, style in STYLES.items():
        line = [row for row in rows if row['refine'] == refine]
        ax.plot([row['cell'] for row in line],
                [max(row['mean'], FLOOR) for row in line],
                markersize=6,
                label=f'SRHeatmap, {refine}',
                **style)


def _label_grids(ax: Axes, rows: List[dict]) -> None:
    """Axes with a tick for each grid, from coarse to fine."""
    grids = {row['cell']: row['grid'] for row in rows}
    ax.set_xscale('log')
    ax.set_yscale('log')
    ax.set_ylim(FLOOR / 1.6, 10)
    ticks = sorted(grids, reverse=True)
    ax.set_xticks(ticks, [
        f'{cell:g} px\n' + 'x'.join(map(str, grids[cell])) for cell in ticks
    ])
    ax.set_xticks([], minor=True)
    ax.set_xlim(ticks[0] * 1.3, ticks[-1] / 1.3)
    ax.set_xlabel('width of a cell in the input, and grid')
    ax.grid(alpha=0.3)
    ax.set_yticks([1e-3, 1e-2, 0.1, 1, 10],
                  ['0.001\nor less', '0.01', '0.1', '1', '10'])


def _on_line(row: dict) -> bool:
    return row['name'] in ('SRHeatmap', 'SRHeatmap unbiased')


def _title(result: Dict) -> str:
    width, height = result['input_size']
    title = (f'{result["points"]} keypoints ({result["source"]}), input '
             f'{width}x{height} px')
    if result['outside']:
        title += f'; {result["outside"]} more lie outside the crops'
    return title
