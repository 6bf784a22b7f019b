"""Convert checkpoints of the authors' code, an MMPose 0.x plugin.

The names of layers differ, and linear layers of theirs are 1x1 convolutions
here.
"""
import re
from pathlib import Path
from typing import Dict, List, Optional, Union

import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn

from ..configs import SRPOSE_MIM, ConfigLike, init_scope, load_config
from ..console import get_logger
from ..version import __version__
from .files import check_out, save_checkpoint
from .reading import CheckpointError, Location, load_checkpoint
from .weights import StateDict, get_state_dict, load_weights

HEAD = 'keypoint_head.'
# Patterns of the layers of the authors' heads, and their names here.
LAYERS = {
    r'lr_head\.0': r'neck.lr_head.0',
    r'lr_fuse\.0': r'neck.lr_fusion.0',
    r'pre_fuse\.(\d+\.\d+)': r'neck.laterals.\1',
    r'pre_interpolate\.(\d+)\.0': r'neck.upsamples.\1.0',
    r'pre_interpolate\.(\d+)\.1': r'neck.upsamples.\1.1.0',
    r'pre_interpolate\.(\d+)\.2': r'neck.upsamples.\1.1.1',
    r'fuse\.(\d+)': r'neck.fusions.\1',
    r'post_fuse\.(\d+\.\d+\.\w+)': r'neck.refinements.\1',
    r'kp_encoder\.(\d+)\.0': r'head.sr_blocks.\1.keypoint_encoder.0',
    r'converge\.(\d+)\.conv': r'head.sr_blocks.\1.predictor',
    # bottom-up
    r'deconv_layers\.(\d+)': r'head.deconv_layers.\1',
    r'kp_encoder\.0': r'head.sr_block.keypoint_encoder.0',
    r'heatmap_head': r'head.sr_block.predictor',
    r'tag_head': r'head.tag_layer',
}
LINEAR_WEIGHT = re.compile(r'keypoint_head\..*\.pwconv[12]\.weight')


def convert_checkpoint(config: ConfigLike,
                       checkpoint: Location,
                       out: Optional[Union[str, Path]] = None) -> StateDict:
    """Convert a checkpoint of the authors' code and log what is dropped.

    Args:
        config: Config of the same model in this package.
        checkpoint: The authors' checkpoint, a file or URL.
        out: The file to write. ``None`` writes nothing.

    Returns:
        All tensors of the config's model under this package's keys.

    Raises:
        FileNotFoundError: If a file or the folder of ``out`` does not exist.
        CheckpointError: If the checkpoint is corrupt, could run code, or does
            not fit the config; names the package's configs that it fits.
    """
    if out is not None:
        check_out(Path(out), checkpoint)
    cfg = load_config(config)
    contents = load_checkpoint(checkpoint)
    theirs = get_state_dict(contents, checkpoint)
    parts = ('backbone.', HEAD)
    ours = to_our_keys({k: theirs[k] for k in theirs if k.startswith(parts)})
    init_scope(cfg)
    try:
        load_weights(MODELS.build(cfg.model), checkpoint, ours)
    except CheckpointError as err:
        names = ', '.join(fitting_configs(ours)) or 'no config of srpose_mm'
        raise CheckpointError(f'{err}; its tensors fit {names}') from err
    dropped = [key for key in theirs if not key.startswith(parts)]
    if 'state_dict' in contents:
        dropped += [key for key in contents if key != 'state_dict']
    get_logger().info(f'{checkpoint}: converted {len(ours)} tensors, dropped '
                      f'{", ".join(map(str, dropped)) or "nothing"}')
    if out is not None:
        meta = dict(
            converted_from=Path(checkpoint).name,
            srpose_mm_version=__version__)
        save_checkpoint(dict(state_dict=ours, meta=meta), out)
    return ours


def to_our_keys(state_dict: StateDict) -> StateDict:
    """Rename the tensors of the authors' heads.

    Keys that are unknown or outside ``keypoint_head.`` stay as they are. The
    order of the tensors is the same, and their memory is shared.
    """
    ours = {}
    for key, value in state_dict.items():
        if LINEAR_WEIGHT.fullmatch(key) and value.ndim == 2:
            value = value[:, :, None, None]
        for layer, our_layer in LAYERS.items():
            key = re.sub(rf'^{re.escape(HEAD)}{layer}(?=\.[^.]*$)', our_layer,
                         key)
        ours[key] = value
    return ours


def fitting_configs(state_dict: StateDict) -> List[str]:
    """Return the package's configs whose neck and head have these tensors.

    The channels of neck and head tell one backbone from another.
    """
    shapes = _shapes(state_dict)
    names = []
    for path in sorted((SRPOSE_MIM / 'configs').rglob('*.py')):
        if '_base_' not in path.parts:
            model = Config.fromfile(path).model
            with torch.device('meta'):
                parts = nn.ModuleDict({
                    name: MODELS.build(model[name])
                    for name in ('neck', 'head') if name in model
                })
            if _shapes(parts.state_dict()) == shapes:
                names.append(path.stem)
    return names


def _shapes(state_dict: StateDict) -> Dict[str, torch.Size]:
    """Return the shapes of the tensors of neck and head."""
    return {
        key: value.shape
        for key, value in state_dict.items() if not key.startswith('backbone.')
    }
