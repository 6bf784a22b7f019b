"""Pipelines and test settings for the new codec."""
from copy import deepcopy
from typing import Tuple

from mmengine.config import Config

from ..configs import type_name
from .codec import crops_by_udp, steps_below
from .stock_model import StockModel


def replace_encoders(cfg: Config, codec: dict) -> int:
    """Give the codec to every GenerateTarget step of a config.

    They are looked for everywhere: in loaders, the data sets inside wrapped
    ones, variables and hooks that switch pipelines.

    Args:
        cfg: The config, which is changed.
        codec: Config of the codec.

    Returns:
        The number of steps.
    """
    found = 0
    for step in steps_below(dict(cfg.items())):
        if type_name(step) == 'GenerateTarget':
            step['encoder'] = deepcopy(codec)
            # One codec makes all there is, and says itself what that is.
            for old in ('multilevel', 'target_type'):
                step.pop(old, None)
            found += 1
    return found


def add_bottom_up_pipeline(cfg: Config, codec: dict) -> None:
    """Make targets where the stock config, for testing only, makes none.

    It takes the augmentation of Newell et al. and of MMPose's bottom-up
    configs: rotation 30 degrees, scale 0.75 to 1.5, translation 40 of 512 px.

    Args:
        cfg: The config, which is changed.
        codec: Config of the codec.
    """
    pipeline = [
        dict(type='LoadImage'),
        dict(
            type='BottomupRandomAffine',
            input_size=codec['input_size'],
            shift_factor=40 / 512,
            scale_factor=(0.75, 1.5),
            rotate_factor=30.,
            distribution='uniform'),
        dict(type='RandomFlip', direction='horizontal'),
        dict(type='GenerateTarget', encoder=deepcopy(codec)),
        dict(type='BottomupGetHeatmapMask'),
        dict(type='PackPoseInputs'),
    ]
    if codec.get('use_udp'):
        pipeline[1]['use_udp'] = True
    cfg.train_pipeline = deepcopy(pipeline)
    cfg.train_dataloader.dataset.pipeline = pipeline


def set_flip(cfg: Config, stock: StockModel,
             heatmap_size: Tuple[int, int]) -> None:
    """Set how a flipped image's maps are put back, on the new grid.

    A crop by MSRA's rule is mirrored about another point than a tensor, one
    input pixel beside it, which a shift of one cell makes up for; UDP's crop
    is not.

    Args:
        cfg: The config, whose ``model.test_cfg`` is changed.
        stock: Its model.
        heatmap_size: (W, H) of the heatmaps, in cells.
    """
    test_cfg = dict(cfg.model.get('test_cfg') or {})
    if stock.bottom_up:
        # Nothing to resize where the maps have the input's size.
        test_cfg['restore_heatmap_size'] = heatmap_size != stock.input_size
    else:
        test_cfg.pop('shift_coords', None)  # of heads that have coordinates
        test_cfg.update(
            flip_mode='heatmap', shift_heatmap=not crops_by_udp(cfg))
    cfg.model.test_cfg = test_cfg
