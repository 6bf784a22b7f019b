"""Table and picture of a benchmark."""
from pathlib import Path
from typing import Union

import pandas as pd
import seaborn
from matplotlib.figure import Figure
from mmengine import dump

from .aims import AIMS, LARGEST
from .prediction import HEAD, REST, TEST, WHOLE
from .systems import DENSE, PEAKS, RTMCC, SIMCC, STOCK

WHERE = ['measure', 'backbone', 'batch']
# Bars of the picture, in words, and their colors.
BARS = {
    STOCK: "MMPose's heatmaps, a quarter of the size",
    SIMCC: "MMPose's SimCC",
    RTMCC: "MMPose's RTMPose head",
    DENSE: 'SRPose, full-size heatmaps',
    PEAKS: 'SRPose, peaks only'
}
COLORS = ['0.6', '#a6cee3', '#1f78b4', '#fdbf6f', '#e31a1c']
GROUPS = {
    HEAD: 'head and decoding',
    REST: 'all after the backbone',
    WHOLE: 'whole prediction,\nflip test',
    TEST: 'test script'
}


def figures_frame(result: dict) -> pd.DataFrame:
    """Return the figures with their ratio to the first of their measure.

    The ``ratio`` is above 1 if a system is better than the first one, which
    is MMPose's.
    """
    frame = pd.DataFrame(result['figures'])
    for column in WHERE:
        frame[column] = frame.get(column)
    frame = frame.astype({'batch': 'Int64'})
    groups = frame.groupby(WHERE, sort=False, dropna=False)
    ratio = groups['median'].transform('first') / frame['median']
    more_is_better = frame.unit.str.endswith('/s')
    frame['ratio'] = ratio.where(~more_is_better, 1 / ratio)
    return frame


def format_figures(result: dict) -> str:
    """Return the machine and tables of aims and figures in Markdown."""
    frame = figures_frame(result)
    values = {name: frame[name].map('{:.4g}'.format)
              for name in ('median', 'low', 'high')}
    table = pd.DataFrame({
        **{column: frame[column].astype(object).where(
            frame[column].notna(), '') for column in WHERE},
        'system': frame.system,
        'median': values['median'] + ' ' + frame.unit,
        'quartiles': values['low'] + ' to ' + values['high'],
        'x better': frame.ratio.map('{:.2f}'.format)
    })
    settings = result['settings']
    text = table.to_markdown(
        index=False, tablefmt='github', disable_numparse=True,
        colalign=['left', 'left', 'right', 'left'] + 3 * ['right'])
    return (f'{result["machine"]}; {settings["rounds"]} rounds of '
            f'{settings["seconds"]:g} s.\n\n{_format_aims(frame)}{text}\n')


def _format_aims(frame: pd.DataFrame) -> str:
    """Return a table of the measured aims, or nothing if there are none."""
    ours = frame[frame.measure.isin(AIMS)].groupby('measure', sort=False)
    rows = []
    for measure, row in ours.last().iterrows():
        reached, most = f'{row.ratio:.2f} times faster', ''
        if measure == LARGEST:
            reached, most = f'{row["median"]:.1f} MB', ' MB at most'
        rows.append({
            'aim': measure,
            'batch': row.batch,
            'reached': reached,
            'to reach': f'{AIMS[measure].value:g}{most}'
        })
    if not rows:
        return ''
    table = pd.DataFrame(rows).to_markdown(
        index=False, tablefmt='github', disable_numparse=True,
        colalign=['left', 'right', 'right', 'right'])
    return f'{table}\n\n'


def write_figures(result: dict, folder: Union[str, Path]) -> None:
    """Write ``benchmark.json``, ``.md`` and, of predictions, ``.png``."""
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    dump(result, folder / 'benchmark.json', indent=2)
    (folder / 'benchmark.md').write_text(
        f'# Benchmark\n\n{format_figures(result)}', 'utf-8')
    if any(figure['measure'] in GROUPS for figure in result['figures']):
        draw_figures(result).savefig(folder / 'benchmark.png', dpi=130)


def draw_figures(result: dict) -> Figure:
    """Draw the speed of predictions relative to MMPose's heatmaps.

    The picture shows the first backbone and the middle batch size.
    """
    frame = figures_frame(result)
    settings = result['settings']
    backbone = settings['backbones'][0]
    sizes = sorted(settings['batch_sizes'])
    batch = sizes[len(sizes) // 2]
    shown = frame[frame.measure.isin(GROUPS) & frame.system.isin(BARS)
                  & (frame.backbone == backbone)
                  & ((frame.batch == batch) | frame.batch.isna())]
    shown = shown.assign(group=shown.measure.map(GROUPS),
                         bar=shown.system.map(BARS))
    groups = [group for group in GROUPS.values() if group in set(shown.group)]
    canvas = Figure(figsize=(8, 1.6 + 1.3 * len(groups)),
                    layout='constrained')
    ax = canvas.subplots()
    seaborn.barplot(shown, x='ratio', y='group', hue='bar', order=groups,
                    hue_order=BARS.values(), palette=COLORS, ax=ax)
    for bars in ax.containers:
        ax.bar_label(bars, fmt='%.1f', padding=3, fontsize=8)
    ax.axvline(1, color='0.4', linewidth=0.8)
    ax.margins(x=0.08)
    ax.set_ylabel('')
    ax.set_xlabel("images a second, in multiples of MMPose's heatmaps "
                  '(longer is faster)')
    ax.set_title(f'{backbone}, 256x192, batch of {batch}\n'
                 f'{result["machine"]}', fontsize=9)
    seaborn.move_legend(ax, 'upper center', bbox_to_anchor=(0.4, -0.13),
                        ncols=2, title=None, frameon=False, fontsize=9)
    return canvas
