"""Write a swapped config, and the weights that stay."""
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from mmengine.config import Config
from tabulate import tabulate

from ..checkpoints import check_out, save_checkpoint
from ..configs import load_config, locate_config, type_name
from ..deploy.complexity import measure_complexity
from ..version import __version__
from .swap_head import swap_head
from .weights import KeptWeights, keep_weights
from .write_config import write_config

HEADERS = ('', 'neck', 'head', 'heatmap', 'backbone M', 'other M', 'GFLOPs')


class SwapFiles(NamedTuple):
    """Result of :func:`swap_files`.

    Attributes:
        cfg: The new config.
        out: Its file.
        checkpoint: File of the new checkpoint, if one was written.
        weights: Contents of the new checkpoint, if one was written.
        table: Comparison of the models, in Markdown.
    """
    cfg: Config
    out: Path
    checkpoint: Optional[Path]
    weights: Optional[KeptWeights]
    table: str


def swap_files(config: Union[str, Path],
               out: Union[str, Path],
               scheme: str = 'sr',
               checkpoint: Union[str, Path, None] = None,
               **options: Any) -> SwapFiles:
    """Swap a head, and write the new config and the weights that stay.

    Nothing is written if an error occurs.

    Args:
        config: The stock config: its file, ``mmpose::PATH`` or its name.
        out: The config to write or replace, ``.py``. It inherits from the
            stock config.
        scheme: As for :func:`swap_head`.
        checkpoint: A checkpoint of the stock config. The weights that stay
            are written beside ``out``, with the suffix ``.pth``, and
            ``load_from`` of the new config is that file's absolute path.
        options: As for :func:`swap_head`.

    Raises:
        FileNotFoundError: If a file or the folder of ``out`` does not exist.
        ValueError: If a file cannot be read or written, or the head cannot
            be swapped.
    """
    location, out = locate_config(config), Path(out)
    if out.suffix != '.py':
        raise ValueError('expected out to be a .py file, which MMEngine reads '
                         f'as a config, got {str(out)!r}')
    check_out(out, location)
    stock = load_config(location)
    cfg = swap_head(stock, scheme, **options)
    weights = new_checkpoint = None
    if checkpoint is not None:
        if options.get('backbone'):
            raise ValueError('expected no checkpoint with a new backbone, '
                             'which its weights do not fit; omit one of them')
        new_checkpoint = out.with_suffix('.pth')
        check_out(new_checkpoint, checkpoint)
        weights = keep_weights(stock, cfg, checkpoint)
        # The path is absolute, so that a copy of the config works elsewhere.
        cfg.load_from = new_checkpoint.resolve().as_posix()
        if not any(key.startswith('backbone.') for key in weights.fresh):
            # The checkpoint replaces all weights that this would download.
            cfg.model.backbone.init_cfg = None
            cfg.model.backbone.pop('pretrained', None)
    table = compare_table(stock, cfg)
    if weights is not None:
        meta = dict(
            swapped_from=Path(checkpoint).name,
            srpose_mm_version=__version__,
            kept=[new for _, new in weights.kept],
            fresh=list(weights.fresh))
        save_checkpoint(
            dict(state_dict=weights.state_dict, meta=meta), new_checkpoint)
    header = (f'Made by srpose_mm {__version__}: swap_head '
              f'{Path(str(config)).name} --scheme {scheme}')
    write_config(cfg, location, out, header)
    return SwapFiles(cfg, out, new_checkpoint, weights, table)


def compare_table(stock: Config, swapped: Config) -> str:
    """Compare parameters, GFLOPs and heatmap size of two deployed models.

    Returns:
        A table in Markdown, and the reason if a model could not be counted.
    """
    rows, notes = [], []
    for name, cfg in dict(before=stock, after=swapped).items():
        head, neck = cfg.model.head, cfg.model.get('neck')
        size = (head.get('decoder') or cfg.codec).get('heatmap_size')
        row = [name, type_name(neck) if neck else '', type_name(head),
               f'{size[0]}x{size[1]}' if size else '']
        try:
            cost = measure_complexity(cfg)
            row += [f'{cost.backbone_params / 1e6:.2f}',
                    f'{cost.other_params / 1e6:.2f}', f'{cost.gflops:.2f}']
        # Errors of a stock model whose own package is not installed.
        except (ImportError, KeyError, RuntimeError, ValueError) as err:
            row += [''] * 3
            notes.append(f'{name}: not counted, {err}'.splitlines()[0])
        rows.append(row)
    table = tabulate(
        rows,
        headers=HEADERS,
        tablefmt='github',
        disable_numparse=True,
        colalign=['left'] * 4 + ['right'] * 3)
    return '\n'.join([table, *notes])
