"""A table of a model before and after a swap."""
from typing import List, Optional

from mmengine.config import Config
from tabulate import tabulate

from ..configs import type_name
from ..deploy.complexity import measure_complexity


def compare_table(stock: Config, swapped: Config) -> str:
    """Parameters, GFLOPs and heatmap size of two models, as deployed.

    Args:
        stock: The stock config.
        swapped: The config that :func:`swap_head` made of it.

    Returns:
        A table in Markdown, and why a model could not be counted.
    """
    rows, notes = [], []
    for name, cfg in dict(before=stock, after=swapped).items():
        row, note = _row(cfg)
        rows.append([name, *row])
        notes += [f'{name}: not counted, {note}'] if note else []
    table = tabulate(
        rows,
        headers=[
            '', 'neck', 'head', 'heatmap', 'backbone M', 'other M', 'GFLOPs'
        ],
        tablefmt='github',
        disable_numparse=True,
        colalign=['left'] * 4 + ['right'] * 3)
    return '\n'.join([table, *notes])


def _row(cfg: Config) -> tuple:
    model, note = cfg.model, None
    numbers: List[str] = ['', '', '']
    try:
        found = measure_complexity(cfg)
        numbers = [
            f'{found.backbone_params / 1e6:.2f}',
            f'{found.other_params / 1e6:.2f}', f'{found.gflops:.2f}'
        ]
    # What a stock model's own package raises, where it is not installed.
    except (ImportError, KeyError, NotImplementedError, RuntimeError) as err:
        note = str(err).splitlines()[0]
    neck: Optional[dict] = model.get('neck')
    codec = cfg.get('codec') or model.head.get('decoder') or {}
    size = codec.get('heatmap_size')
    return [
        type_name(neck) if neck else '',
        type_name(model.head),
        f'{size[0]}x{size[1]}' if size else '', *numbers
    ], note
