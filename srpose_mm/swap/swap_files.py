from copy import deepcopy
from pathlib import Path
from typing import Any, NamedTuple, Optional, Union

from mmengine.config import Config

from ..checkpoints.safe_checkpoint import (
    check_input,
    check_out,
    dense_tensors,
    load_checkpoint,
    write_checkpoint,
)
from ..configs import load_config, locate_config
from ..version import __version__
from .compare import compare_table
from .swap_head import swap_head
from .weights import TakenWeights, take_weights
from .write_config import write_config

OWNER = 'swap_head'


class SwapFiles(NamedTuple):
    """What :func:`swap_files` did.

    Attributes:
        cfg: The new config.
        out: Its file.
        checkpoint: The new checkpoint's file, if there is one.
        weights: What it takes over, if there is one.
        table: The model before and after.
    """
    cfg: Config
    out: Path
    checkpoint: Optional[Path]
    weights: Optional[TakenWeights]
    table: str


def swap_files(config: Union[str, Path],
               out: Union[str, Path],
               scheme: str = 'sr',
               checkpoint: Optional[Union[str, Path]] = None,
               **options: Any) -> SwapFiles:
    """Swap a head, and write the config and the weights that stay.

    Args:
        config: The stock config: its file, ``mmpose::PATH`` or its bare name.
        out: The config to write or replace, ``.py``. It inherits from the
            stock one and ``load_from`` names the new checkpoint.
        scheme: As for :func:`swap_head`.
        checkpoint: A checkpoint of the stock config. Only tensors and plain
            values are read from it. The new one lies beside ``out``, under
            its name with ``.pth``.
        options: As for :func:`swap_head`.

    Returns:
        What was written.

    Raises:
        FileNotFoundError: If a file or the folder of ``out`` is not there.
        ValueError: If a file cannot be read or written or the head not
            swapped.
    """
    location, out = locate_config(config), Path(out)
    _check_out(location, out)
    stock = load_config(location)
    cfg = swap_head(stock, scheme, **options)
    weights = new_checkpoint = None
    if checkpoint is not None:
        new_checkpoint = out.with_suffix('.pth')
        weights = _take(stock, cfg, Path(checkpoint), new_checkpoint)
        cfg.load_from = new_checkpoint.as_posix()
        if not any(key.startswith('backbone.') for key in weights.fresh):
            # Nothing to fetch for weights that are replaced at once.
            cfg.model.backbone.init_cfg = None
    header = (f'Made by srpose_mm {__version__}: swap_head '
              f'{Path(str(config)).name} --scheme {scheme}')
    write_config(cfg, location, out, header)
    return SwapFiles(cfg, out, new_checkpoint, weights,
                     compare_table(stock, cfg))


def _check_out(location: str, out: Path) -> None:
    if out.suffix != '.py':
        raise ValueError(f'{OWNER}: expected out to be a .py file, which '
                         f'MMEngine reads as a config, got {str(out)!r}')
    sources = {} if '::' in location else dict(config=Path(location))
    check_out(out, sources, OWNER)


def _take(stock: Config, cfg: Config, checkpoint: Path,
          out: Path) -> TakenWeights:
    check_input(checkpoint, OWNER)
    check_out(out, dict(checkpoint=checkpoint), OWNER)
    contents = load_checkpoint(checkpoint, OWNER)
    tensors = dense_tensors(contents, f'{OWNER}: {checkpoint}',
                            'a checkpoint of the stock config')
    weights = take_weights(stock, deepcopy(cfg), tensors)
    meta = dict(
        swapped_from=checkpoint.name,
        srpose_mm_version=__version__,
        taken=[new for _, new in weights.taken],
        fresh=list(weights.fresh))
    write_checkpoint(out, dict(state_dict=weights.state_dict, meta=meta),
                     OWNER)
    return weights
