"""Write a swapped config, and the weights that stay."""
import re
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from torch import Tensor

from ..checkpoints import (
    atomic_write,
    check_out,
    load_weights,
    save_checkpoint,
)
from ..configs import load_config, locate_config
from ..version import __version__
from .features import build_on_meta
from .swap_head import swap_head
from .write_config import write_config

# Stock heads that have a HeatmapHead for their deconvolutions.
INNER_HEADS = re.compile(r'^head\.(deconv_head|simplebaseline_head)\.')


class KeptWeights(NamedTuple):
    """Weights of a stock model that its swapped model keeps."""
    state_dict: Dict[str, Tensor]  # under the new model's keys
    fresh: Tuple[str, ...]  # new keys that start from an initialization
    dropped: Tuple[str, ...]  # stock keys without a place in the new model


class SwapFiles(NamedTuple):
    """Result of :func:`swap_files`."""
    cfg: Config
    out: Path
    checkpoint: Optional[Path]  # the new one, if one was written
    weights: Optional[KeptWeights]  # its contents


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
    new_checkpoint = weights = None
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
    with ExitStack() as stack:
        if weights is not None:
            meta = dict(swapped_from=Path(checkpoint).name,
                        srpose_mm_version=__version__)
            # The checkpoint is replaced after the config is written.
            unfinished = stack.enter_context(atomic_write(new_checkpoint))
            save_checkpoint(
                dict(state_dict=weights.state_dict, meta=meta), unfinished)
        write_config(cfg, location, out, _describe(config, scheme, options))
    return SwapFiles(cfg, out, new_checkpoint, weights)


def _describe(config: Union[str, Path], scheme: str,
              options: Dict[str, Any]) -> str:
    """Return the command that makes a config."""
    words = [f'Made by srpose_mm {__version__}: swap_head', Path(config).name,
             '--scheme', scheme]
    for name, value in options.items():
        if value is not None:
            values = value if isinstance(value, (list, tuple)) else [value]
            words += [f'--{name.replace("_", "-")}',
                      *(str(v) for v in values if v is not True)]
    return ' '.join(words)


def keep_weights(stock: Config, swapped: Config,
                 checkpoint: Union[str, Path]) -> KeptWeights:
    """Select the weights of a stock model that fit into a swapped one.

    These have the key and the shape of a weight of the swapped model.

    Raises:
        FileNotFoundError: If the checkpoint does not exist.
        ValueError: If the checkpoint is corrupt, could run code or does not
            have exactly the weights of the stock config.
    """
    model_cfg = deepcopy(stock.model)
    model_cfg.backbone.init_cfg = None
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(model_cfg)
    load_weights(model, checkpoint)
    shapes = {key: value.shape for key, value in build_on_meta(
        swapped.model).state_dict().items()}
    kept, dropped = {}, []
    for key, value in model.state_dict().items():
        new = INNER_HEADS.sub('head.', key)
        if shapes.get(new) == value.shape:
            kept[new] = value
        else:
            dropped.append(key)
    fresh = tuple(key for key in shapes if key not in kept)
    return KeptWeights(kept, fresh, tuple(dropped))
