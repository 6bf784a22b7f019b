from typing import List

from matplotlib.figure import Figure

from .lines import Line
from .study_file import Study

# Colours that differ for most eyes, and in print by their marks.
STYLES = (('#0072b2', 'o'), ('#d55e00', 's'), ('#009e73', '^'),
          ('#cc79a7', 'D'), ('#e69f00', 'v'), ('#56b4e9', 'P'))
STEP = 0.24  # between two tests, at most, where rows are 1 apart


def draw_study(study: Study, lines: List[Line]) -> Figure:
    """Draw the headline: a dot for each seed, a line for their mean.

    Args:
        study: The study.
        lines: Its results, by row and test.

    Returns:
        The picture.
    """
    rows = list(dict.fromkeys(line.row for line in lines))
    tests = list(dict.fromkeys(line.test for line in lines))
    styles = {test: STYLES[index % len(STYLES)]
              for index, test in enumerate(tests)}
    figure = Figure(
        figsize=(8, 1.6 + 0.34 * len(lines)), layout='constrained')
    ax = figure.subplots()
    for place, row in enumerate(rows):
        own = [line for line in lines if line.row == row]
        step = min(STEP, 0.9 / len(own))
        for index, line in enumerate(own):
            y = place + step * (index - (len(own) - 1) / 2)
            color, marker = styles[line.test]
            values = line.values[study.headline]
            ax.plot(values, [y] * len(values), marker, color=color,
                    markersize=7, alpha=0.55, markeredgewidth=0)
            mean = line.mean(study.headline)
            ax.plot([mean, mean], [y - step / 2.3, y + step / 2.3],
                    color=color, linewidth=2.2)
        if place:
            ax.axhline(place - 0.5, color='0.85', linewidth=0.8)
    for test, (color, marker) in styles.items():
        ax.plot([], [], marker, color=color, markersize=7, label=test)
    ax.set_yticks(range(len(rows)), rows)
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.tick_params(axis='y', length=0)
    ax.grid(axis='x', alpha=0.3)
    sense = 'lower' if study.lower_is_better else 'higher'
    ax.set_xlabel(f'{study.headline} ({sense} is better); a dot for each '
                  'seed, a line for the mean')
    ax.legend(title='tested with', loc='center left',
              bbox_to_anchor=(1, 0.5), frameon=False)
    figure.suptitle(study.title, fontsize=11)
    return figure
