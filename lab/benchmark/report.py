from pathlib import Path
from typing import Dict, List, Union

from matplotlib.figure import Figure as Canvas
from tabulate import tabulate

from .timing import Figure

Groups = Dict[str, Dict[str, Figure]]
# More of these is better; of the others, less.
RATES = ('samples/s', )


def format_figures(figures: List[Figure]) -> str:
    """Figures as a table in Markdown, one row for each measure and system."""
    rows = [[
        figure.measure, figure.system, f'{figure.median:.4g} {figure.unit}',
        f'{figure.low:.4g} to {figure.high:.4g}', f'{ratio:.2f}'
    ] for figure, ratio in with_ratios(figures)]
    return tabulate(
        rows,
        headers=['measure', 'system', 'median', 'quartiles', 'x better'],
        tablefmt='github',
        disable_numparse=True,
        colalign=('left', 'left', 'right', 'right', 'right'))


def format_result(result: dict) -> str:
    """Write the result of :func:`benchmark` as a page in Markdown."""
    rounds = result['settings']['rounds']
    return (f'{result["machine"]}; {rounds} rounds.\n\n'
            f'{format_figures(result["figures"])}\n')


def with_ratios(figures: List[Figure]) -> List[tuple]:
    """Each figure with how many times better it is than its measure's first.

    The first system of a measure is the yardstick: MMPose's.
    """
    pairs = []
    for systems in _by_measure(figures).values():
        first = next(iter(systems.values()))
        for figure in systems.values():
            ratio = (first.median or 1) / (figure.median or 1)
            if figure.unit in RATES:
                ratio = 1 / ratio
            pairs.append((figure, ratio))
    return pairs


def draw_figures(figures: List[Figure], path: Union[str, Path],
                 title: str) -> None:
    """Draw how many times better each system is, as bars on a log scale.

    Args:
        figures: What was measured.
        path: The picture's file.
        title: What stands above it, e.g. the machine.
    """
    pairs = [
        pair for pair in with_ratios(figures)
        if len(_by_measure(figures)[pair[0].measure]) > 1
    ]
    systems = list(dict.fromkeys(figure.system for figure, _ in pairs))
    labels, places, place = [], [], 0
    canvas = Canvas(figsize=(9, 1 + 0.27 * len(pairs)), layout='constrained')
    axes = canvas.subplots()
    drawn = set()
    for index, (figure, ratio) in enumerate(pairs):
        if index and figure.measure != pairs[index - 1][0].measure:
            place += 0.7
        name = figure.system
        axes.barh(
            place,
            ratio - 1,
            left=1,
            height=0.85,
            color=f'C{systems.index(name)}',
            label=None if name in drawn else name)
        drawn.add(name)
        axes.annotate(
            f'{ratio:.0f}' if ratio >= 10 else f'{ratio:.2g}', (ratio, place),
            xytext=(3 if ratio >= 1 else -3, 0),
            textcoords='offset points',
            ha='left' if ratio >= 1 else 'right',
            va='center',
            fontsize=7)
        if not index or figure.measure != pairs[index - 1][0].measure:
            labels.append(figure.measure)
            places.append(place)
        place += 1
    axes.set_xscale('log')
    axes.axvline(1, color='black', linewidth=0.8)
    axes.set_yticks(places, labels, fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1, y=0.01)
    axes.set_xlabel('times better than the first system of the group')
    axes.set_title(title, fontsize=9)
    axes.legend(fontsize=8, loc='lower right')
    canvas.savefig(path, dpi=130)


def _by_measure(figures: List[Figure]) -> Groups:
    groups = {}
    for figure in figures:
        groups.setdefault(figure.measure, {})[figure.system] = figure
    return groups
