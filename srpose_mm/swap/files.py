"""Write a swapped config, and the weights that stay."""
from collections import Counter
from copy import deepcopy
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Tuple, Union

from mmengine.config import Config
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS
from tabulate import tabulate
from torch import Tensor

from ..checkpoints import check_out, load_weights, save_checkpoint
from ..configs import load_config, locate_config, type_name
from ..deploy.complexity import measure_complexity
from ..version import __version__
from .features import build_shapes
from .stock_model import read_stock_model
from .swap_head import swap_head
from .write_config import write_config

HEADERS = ('', 'neck', 'head', 'heatmap', 'backbone M', 'other M', 'GFLOPs')
# Layers of a stock head that its SR head has too.
LAYERS = ('deconv_layers.', 'conv_layers.')


class KeptWeights(NamedTuple):
    """Weights of a stock model that its swapped model keeps."""
    state_dict: Dict[str, Tensor]  # under the new model's keys
    kept: Tuple[Tuple[str, str], ...]  # the stock key and the new key of each
    fresh: Tuple[str, ...]  # new keys that start from an initialization
    dropped: Tuple[str, ...]  # stock keys without a place in the new model

    def save(self, path: Path, source: str) -> None:
        """Write a checkpoint with the name of the stock checkpoint."""
        meta = dict(
            swapped_from=source,
            srpose_mm_version=__version__,
            kept=[new for _, new in self.kept],
            fresh=list(self.fresh))
        save_checkpoint(dict(state_dict=self.state_dict, meta=meta), path)

    def report(self) -> str:
        """Return the number of tensors of each kind, by module."""
        new_keys = [new for _, new in self.kept]
        lines = []
        for kind, keys in dict(
                kept=new_keys, fresh=self.fresh, dropped=self.dropped).items():
            lines.append(f'{kind}: {len(keys)} tensors')
            modules = Counter(map(_module_name, keys))
            lines += [f'  {name}: {n}' for name, n in modules.items()]
        lines += [f'renamed: {old} -> {new}'
                  for old, new in self.kept if old != new]
        return '\n'.join(lines)


def _module_name(key: str) -> str:
    """Return ``backbone``, or a part of neck or head."""
    parts = key.split('.')
    return parts[0] if parts[0] == 'backbone' else '.'.join(parts[:2])


class SwapFiles(NamedTuple):
    """Result of :func:`swap_files`."""
    cfg: Config
    out: Path
    checkpoint: Optional[Path]  # the new one, if one was written
    weights: Optional[KeptWeights]  # its contents
    table: str  # comparison of the models, in Markdown


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
        _start_from(cfg, new_checkpoint, weights)
    table = compare_table(stock, cfg)
    if weights is not None:
        weights.save(new_checkpoint, source=Path(checkpoint).name)
    header = (f'Made by srpose_mm {__version__}: swap_head '
              f'{Path(str(config)).name} --scheme {scheme}')
    write_config(cfg, location, out, header)
    return SwapFiles(cfg, out, new_checkpoint, weights, table)


def _start_from(cfg: Config, checkpoint: Path, weights: KeptWeights) -> None:
    """Make the new checkpoint the start of a training."""
    # The path is absolute, so that a copy of the config works elsewhere.
    cfg.load_from = checkpoint.resolve().as_posix()
    if not any(key.startswith('backbone.') for key in weights.fresh):
        # The checkpoint replaces all weights that this would download.
        cfg.model.backbone.init_cfg = None
        cfg.model.backbone.pop('pretrained', None)


def keep_weights(stock: Config, swapped: Config,
                 checkpoint: Union[str, Path]) -> KeptWeights:
    """Select the weights of a stock model that fit into a swapped one.

    These are the backbone's, the neck's if it stays, and the deconvolutions
    and convolutions that both heads have.

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
    shapes = {key: value.shape for key, value in build_shapes(
        swapped.model).state_dict().items()}
    deconvs = read_stock_model(stock).deconvs
    same_neck = stock.model.get('neck') == swapped.model.get('neck')
    weights, kept, dropped = {}, [], []
    for key, value in model.state_dict().items():
        new = _new_key(key, deconvs, same_neck)
        if shapes.get(new) == value.shape:
            weights[new] = value
            kept.append((key, new))
        else:
            dropped.append(key)
    fresh = tuple(key for key in shapes if key not in weights)
    return KeptWeights(weights, tuple(kept), fresh, tuple(dropped))


def _new_key(key: str, deconvs: Optional[str], same_neck: bool) -> str:
    """Return the key of a stock weight in the swapped model, or ''."""
    if key.startswith('backbone.') or same_neck and key.startswith('neck.'):
        return key
    if deconvs and key.startswith(tuple(deconvs + name for name in LAYERS)):
        return 'head.' + key[len(deconvs):]
    return ''


def compare_table(stock: Config, swapped: Config) -> str:
    """Compare parameters, GFLOPs and heatmap size of two deployed models.

    Returns:
        A table in Markdown, and the reason if a model could not be counted.
    """
    rows, notes = [], []
    for name, cfg in dict(before=stock, after=swapped).items():
        head, neck = cfg.model.head, cfg.model.get('neck')
        size = (head.get('decoder') or cfg.codec).get('heatmap_size')
        row = [name, type_name(neck or {}), type_name(head),
               'x'.join(map(str, size or ()))]
        try:
            backbone, others, gflops = measure_complexity(cfg)
            row += [f'{number:.2f}'
                    for number in (backbone / 1e6, others / 1e6, gflops)]
        # Errors of a stock model whose own package is not installed.
        except (ImportError, KeyError, RuntimeError, ValueError) as err:
            row += [''] * 3
            notes.append(f'{name}: not counted, {err}'.splitlines()[0])
        rows.append(row)
    table = tabulate(rows, HEADERS, 'github', disable_numparse=True,
                     colalign=['left'] * 4 + ['right'] * 3)
    return '\n'.join([table, *notes])
