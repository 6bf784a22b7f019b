from typing import NamedTuple, Optional, Tuple

from mmengine.config import Config, ConfigDict

from ..configs import input_channels, type_name

BOTTOM_UP = 'BottomupPoseEstimator'
ESTIMATORS = ('TopdownPoseEstimator', BOTTOM_UP)


class SwapRefused(ValueError):
    """A model whose head cannot be swapped."""


class HeadSpec(NamedTuple):
    """A stock head that can be swapped.

    Attributes:
        keypoints: Name of its argument for the number of keypoints.
        deconvs: Prefix of its deconvolutions in a state dict; ``None`` if it
            does not build them as :class:`HeatmapHead` does.
    """
    keypoints: str
    deconvs: Optional[str] = None


HEADS = dict(
    HeatmapHead=HeadSpec('out_channels', 'head.'),
    SRHead=HeadSpec('out_channels', 'head.'),
    SimCCHead=HeadSpec('out_channels', 'head.deconv_head.'),
    IntegralRegressionHead=HeadSpec('num_joints', 'head.simplebaseline_head.'),
    DSNTHead=HeadSpec('num_joints', 'head.simplebaseline_head.'),
    RTMCCHead=HeadSpec('out_channels'),
    RTMWHead=HeadSpec('out_channels'),
    RegressionHead=HeadSpec('num_joints'),
    RLEHead=HeadSpec('num_joints'),
    AssociativeEmbeddingHead=HeadSpec('num_keypoints', 'head.'),
    SRAssociativeEmbeddingHead=HeadSpec('num_keypoints', 'head.'))

STAGES = ('each stage of its backbone has a head; an SR head and a target '
          'per stage would be needed')
DENSE = ('each cell of its feature maps predicts an instance with all '
         'keypoints; an SR variant of that prediction would be needed')
VOLUME = 'it predicts in 3-D; a head with a depth axis would be needed'
SEQUENCE = ('it lifts 2-D keypoints and processes no image; a backbone for '
            'images would be needed')
# Reasons why a head cannot be swapped, and the missing part.
NEEDED = dict(
    CPMHead=STAGES,
    MSPNHead=STAGES,
    ViPNASHead='its searched, grouped deconvolutions are the point of the '
    'model; an SR head with grouped deconvolutions would be needed',
    VisPredictHead='it predicts visibility beside the keypoints; an SR head '
    'with that second output would be needed',
    DEKRHead=DENSE,
    CIDHead='it predicts the heatmaps of one instance at a time from the '
    'features at its center; an SR variant of this would be needed',
    RTMOHead=DENSE,
    YOLOXPoseHead=DENSE,
    EDPoseHead='it predicts keypoints from the queries of a transformer; a '
    'feature map for each instance would be needed',
    InternetHead=VOLUME,
    TemporalRegressionHead=SEQUENCE,
    TrajectoryRegressionHead=SEQUENCE,
    MotionRegressionHead=SEQUENCE,
    SRPoseHead='it is SRPose already; swap the stock config instead',
    DWPoseDistiller='it trains a student with a teacher; a distiller for SR '
    'heads would be needed. Swap the student\'s own config to train it alone')


class StockModel(NamedTuple):
    """Parts of a model whose head can be swapped.

    Attributes:
        backbone: Config of the backbone.
        neck: Config of the neck; ``None`` if the model has none.
        head: Config of the head.
        spec: Description of the type of head.
        codec: Config of the codec.
        bottom_up: True if the model groups keypoints into instances.
        num_keypoints: Number of keypoints, K.
        input_size: (w, h) of the input, in px.
        input_channels: Channels of the input.
    """
    backbone: ConfigDict
    neck: Optional[ConfigDict]
    head: ConfigDict
    spec: HeadSpec
    codec: ConfigDict
    bottom_up: bool
    num_keypoints: int
    input_size: Tuple[int, int]
    input_channels: int


def read_stock_model(cfg: Config) -> StockModel:
    """Return the parts of a model that a swap depends on.

    Args:
        cfg: Config of the model. The parts refer to it and are no copies.

    Raises:
        SwapRefused: If the model is not a backbone, with or without a neck,
            that feeds one known head with one codec.
    """
    model = cfg.model
    head = model.get('head')
    name = type_name(head if isinstance(head, dict) else model)
    if name not in HEADS or type_name(model) not in ESTIMATORS:
        needed = NEEDED.get(name, 'an estimator with one backbone that feeds '
                            f'one of {sorted(HEADS)} would be needed')
        raise SwapRefused(f'{name} cannot be swapped: {needed}')
    bottom_up = type_name(model) == BOTTOM_UP
    codecs = [head.get('decoder'), cfg.get('codec')]
    if bottom_up:
        # The decoder's maps can be resized ones, unlike the targets.
        codecs.reverse()
    codec = next(filter(None, codecs), None)
    if not isinstance(codec, dict) or 'input_size' not in codec:
        raise SwapRefused('expected one codec with an input_size as decoder '
                          f'of {name}, got {codec!r}; set the decoder')
    keypoints = head[HEADS[name].keypoints]
    if codec.get('heatmap_type') == 'combined':
        keypoints //= 3  # a heatmap and two offset maps per keypoint
    return StockModel(model.backbone, model.get('neck'), head, HEADS[name],
                      codec, bottom_up, keypoints, tuple(codec['input_size']),
                      input_channels(cfg))
