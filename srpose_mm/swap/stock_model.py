"""The parts of a stock model, and the heads that can be swapped."""
from typing import NamedTuple, Optional, Tuple

from mmengine.config import Config, ConfigDict

from ..configs import input_channels, type_name

BOTTOM_UP = 'BottomupPoseEstimator'
ESTIMATORS = ('TopdownPoseEstimator', BOTTOM_UP)


class SwapRefused(ValueError):
    """A model whose head cannot be swapped."""


# Stock heads that can be swapped, with the prefix of their deconvolutions in a
# state dict; None if they are not built as HeatmapHead builds them.
HEADS = dict(
    HeatmapHead='head.',
    SRHead='head.',
    SimCCHead='head.deconv_head.',
    IntegralRegressionHead='head.simplebaseline_head.',
    DSNTHead='head.simplebaseline_head.',
    RTMCCHead=None,
    RTMWHead=None,
    RegressionHead=None,
    RLEHead=None,
    AssociativeEmbeddingHead='head.',
    SRAssociativeEmbeddingHead='head.')
# Arguments of heads: the number of keypoints.
KEYPOINTS = ('out_channels', 'num_joints', 'num_keypoints')

# The missing part if a head cannot be swapped.
NEEDED = {
    'an SR head and a target for each stage': ('CPMHead', 'MSPNHead'),
    'an SR head with grouped deconvolutions': ('ViPNASHead', ),
    'an SR head that predicts visibility too': ('VisPredictHead', ),
    'a head that predicts the instance of a cell from its SR features':
    ('DEKRHead', 'RTMOHead', 'YOLOXPoseHead'),
    'an SR head on the decoupled features of one instance': ('CIDHead', ),
    'feature maps of one instance, not the queries of a transformer':
    ('EDPoseHead', ),
    'an SR head with a depth axis': ('InternetHead', ),
    'a backbone that processes images':
    ('TemporalRegressionHead', 'TrajectoryRegressionHead',
     'MotionRegressionHead'),
    'the stock config that was swapped before': ('SRPoseHead', ),
    'a distiller for SR heads, or the config of the student alone':
    ('DWPoseDistiller', ),
    f'an estimator with one backbone and one of {sorted(HEADS)}': (),
}


class StockModel(NamedTuple):
    """Parts of a model whose head can be swapped; its configs, no copies."""
    backbone: ConfigDict
    neck: Optional[ConfigDict]
    head: ConfigDict
    deconvs: Optional[str]  # their prefix in a state dict
    codec: ConfigDict
    bottom_up: bool  # groups keypoints into instances
    num_keypoints: int
    input_size: Tuple[int, int]  # (w, h) in px
    input_channels: int


def read_stock_model(cfg: Config) -> StockModel:
    """Return the parts of a model that a swap depends on.

    Raises:
        SwapRefused: If the model is not a backbone, with or without a neck,
            that feeds one known head with one codec.
    """
    model = cfg.model
    head = model.get('head')
    name = type_name(head if isinstance(head, dict) else model)
    if name not in HEADS or type_name(model) not in ESTIMATORS:
        needed = next((needed for needed, names in NEEDED.items()
                       if name in names), list(NEEDED)[-1])
        raise SwapRefused(
            f'{name} cannot be swapped: {needed} would be needed')
    bottom_up = type_name(model) == BOTTOM_UP
    codecs = [head.get('decoder'), cfg.get('codec')]
    if bottom_up:
        # The decoder's maps can be resized ones, unlike the targets.
        codecs.reverse()
    codec = next(filter(None, codecs), None)
    if not isinstance(codec, dict) or 'input_size' not in codec:
        raise SwapRefused('expected one codec with an input_size as decoder '
                          f'of {name}, got {codec!r}; set the decoder')
    keypoints = next(head[key] for key in KEYPOINTS if key in head)
    if codec.get('heatmap_type') == 'combined':
        keypoints //= 3  # a heatmap and two offset maps per keypoint
    return StockModel(model.backbone, model.get('neck'), head, HEADS[name],
                      codec, bottom_up, keypoints, tuple(codec['input_size']),
                      input_channels(cfg))
