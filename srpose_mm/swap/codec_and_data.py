"""Codec, pipelines and flip settings for the new head."""
from copy import deepcopy
from typing import Any, List

from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS

from ..codecs import SRAssociativeEmbedding, SRHeatmap
from ..configs import iter_typed, maps_by_udp, type_name
from .heads import Size
from .stock_model import StockModel

STOCK_MASK = 'BottomupGetHeatmapMask'
TEST_PARTS = ('test_dataloader', 'val_dataloader', 'val_pipeline')
# Arguments of AssociativeEmbedding that a swap keeps. The unit of the others
# is a cell of the stock heatmap: their defaults fit the new one.
KEPT_BOTTOM_UP = ('use_udp', 'decode_keypoint_order', 'decode_keypoint_thr',
                  'decode_tag_thr', 'decode_topk', 'decode_max_instances')


def make_codec(cfg: Config, stock: StockModel, heatmap_size: Size,
               **options: Any) -> dict:
    """Return the config of the codec for heatmaps of the given size.

    The Gaussian keeps its width in input px. The pixel mapping, MSRA's or
    UDP's, is that of the test data's crops. Options are arguments of the
    codec, ``None`` means default.

    Raises:
        TypeError: If the codec does not have an option.
        ValueError: If an option is out of range.
    """
    codec = dict(
        input_size=stock.input_size,
        heatmap_size=heatmap_size,
        sigma=_sigma(stock, heatmap_size),
        target='keypoints')
    is_udp = type_name(stock.codec) == 'UDPHeatmap'
    # Some configs of MMPose have a UDPHeatmap and crops that are not UDP's.
    crop = _test_step(cfg, 'TopdownAffine')
    use_udp = crop.get('use_udp') if crop else maps_by_udp(stock.codec)
    if stock.bottom_up:
        codec.update(
            {k: stock.codec[k] for k in KEPT_BOTTOM_UP if k in stock.codec})
    elif use_udp:
        codec['use_udp'] = True
    if is_udp or stock.codec.get('unbiased'):
        codec['unbiased'] = True
        # These stock codecs refine peaks by DARK.
        if type_name(stock.codec) != 'SRHeatmap':
            codec['refine'] = 'dark'
    if 'refine' in stock.codec:
        codec['refine'] = stock.codec.refine
    codec.update({k: v for k, v in options.items() if v is not None})
    kind = SRAssociativeEmbedding if stock.bottom_up else SRHeatmap
    kind(**codec)  # raises if an option does not fit
    return dict(type=kind.__name__, **codec)


def _sigma(stock: StockModel, heatmap_size: Size) -> float:
    """Return the stock Gaussian's width in cells of the new grid.

    Codecs without Gaussian heatmaps are assigned the usual width of MMPose's
    heatmaps, 2 cells of a quarter-size map.
    """
    codec, size = stock.codec, stock.codec.get('heatmap_size')
    sigma = codec.get('sigma')
    if sigma is None and codec.get('heatmap_type') != 'combined':
        sigma = getattr(KEYPOINT_CODECS.build(codec), 'sigma', None)
    if size is None or not isinstance(sigma, (int, float)):
        size, sigma = stock.input_size, 8
    sigma = sigma * heatmap_size[0] / size[0]
    return int(sigma) if sigma == int(sigma) else sigma


def _test_step(cfg: Config, name: str) -> dict:
    """Return the first transform of the test data of a class, or ``{}``."""
    steps = (step for part in TEST_PARTS for step in iter_typed(cfg.get(part)))
    return next((step for step in steps if type_name(step) == name), {})


def replace_pipelines(cfg: Config, stock: StockModel, codec: dict) -> None:
    """Set the encoder of every GenerateTarget step of a config.

    The steps can lie in data loaders, wrapped datasets, variables and hooks
    that switch pipelines. If a bottom-up config has no training pipeline, one
    is added. If it has one, run-length encoded crowds are masked too.

    Raises:
        ValueError: If a top-down training pipeline makes no targets.
    """
    steps = list(iter_typed(dict(cfg.items())))
    masks, targets = [[step for step in steps if type_name(step) == name]
                      for name in (STOCK_MASK, 'GenerateTarget')]
    for step in masks:
        step['type'] = 'mmpose.BottomupGetValidMask'
    for step in targets:
        step['encoder'] = deepcopy(codec)
        # One codec makes all targets.
        step.pop('multilevel', None)
        step.pop('target_type', None)
    if targets or not cfg.get('train_dataloader'):
        return
    if not stock.bottom_up:
        raise ValueError('expected a training pipeline with a GenerateTarget '
                         'step, got none; add the step or remove '
                         'train_dataloader')
    pipeline = _bottom_up_pipeline(cfg, codec)
    cfg.train_pipeline = deepcopy(pipeline)
    cfg.train_dataloader.dataset.pipeline = pipeline


def _bottom_up_pipeline(cfg: Config, codec: dict) -> List[dict]:
    """Return a training pipeline with the augmentation of MMPose's configs.

    Rotation is 30 degrees, scale 0.75 to 1.5, translation 40 of 512 px.
    """
    pipeline = [
        deepcopy(_test_step(cfg, 'LoadImage') or dict(type='LoadImage')),
        dict(
            type='BottomupRandomAffine',
            input_size=codec['input_size'],
            shift_factor=40 / 512,
            scale_factor=(0.75, 1.5),
            rotate_factor=30.,
            distribution='uniform',
            use_udp=codec.get('use_udp', False)),
        dict(type='RandomFlip', direction='horizontal'),
        dict(type='GenerateTarget', encoder=deepcopy(codec)),
        dict(type='BottomupGetValidMask'),
        dict(type='PackPoseInputs'),
    ]
    if cfg.get('default_scope') != 'mmpose':
        for step in pipeline:
            step['type'] = f'mmpose.{type_name(step)}'
    return pipeline


def set_flip(cfg: Config, stock: StockModel, codec: dict) -> None:
    """Set how a flipped image's heatmaps are put back on the new grid.

    As in MMPose's configs, the map of a mirrored image is shifted by one cell
    unless crops are made by UDP. MMPose centers other crops at w / 2, while
    mirroring turns a tensor about (w - 1) / 2.
    """
    test_cfg = dict(cfg.model.get('test_cfg') or {})
    if stock.bottom_up:
        # The codec decodes maps of its own size, not of the input's.
        test_cfg['restore_heatmap_size'] = False
    else:
        test_cfg.pop('shift_coords', None)  # of heads for coordinates
        test_cfg.update(
            flip_mode='heatmap', shift_heatmap=not codec.get('use_udp'))
    cfg.model.test_cfg = test_cfg
