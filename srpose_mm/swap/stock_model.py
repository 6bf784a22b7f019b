"""What kind of model a config holds, and whether its head can be swapped."""
from typing import NamedTuple, Optional, Tuple

from mmengine.config import Config, ConfigDict

from ..configs import type_name
from .refusal import SwapRefused

TOP_DOWN = 'TopdownPoseEstimator'
BOTTOM_UP = 'BottomupPoseEstimator'


class KnownHead(NamedTuple):
    """A stock head that can be swapped.

    Attributes:
        estimator: The estimator that it belongs to.
        keypoints: Its argument that holds the number of keypoints.
        deconvs: Where its deconvolutions lie in a state dict, if it builds
            them as :class:`HeatmapHead` does.
    """
    estimator: str
    keypoints: str
    deconvs: Optional[str] = None


HEADS = dict(
    HeatmapHead=KnownHead(TOP_DOWN, 'out_channels', 'head.'),
    SRHead=KnownHead(TOP_DOWN, 'out_channels', 'head.'),
    SimCCHead=KnownHead(TOP_DOWN, 'out_channels', 'head.deconv_head.'),
    IntegralRegressionHead=KnownHead(TOP_DOWN, 'num_joints',
                                     'head.simplebaseline_head.'),
    DSNTHead=KnownHead(TOP_DOWN, 'num_joints', 'head.simplebaseline_head.'),
    RTMCCHead=KnownHead(TOP_DOWN, 'out_channels'),
    RTMWHead=KnownHead(TOP_DOWN, 'out_channels'),
    RegressionHead=KnownHead(TOP_DOWN, 'num_joints'),
    RLEHead=KnownHead(TOP_DOWN, 'num_joints'),
    AssociativeEmbeddingHead=KnownHead(BOTTOM_UP, 'num_keypoints', 'head.'),
    SRAssociativeEmbeddingHead=KnownHead(BOTTOM_UP, 'num_keypoints', 'head.'))

STAGES = ('its backbone predicts in several stages and every stage has a '
          'head; an SR head and a target for each stage would be needed')
DENSE = ('each place of its feature maps predicts a whole person; an SR '
         'variant of that prediction would be needed')
VOLUME = 'it predicts in 3-D; a head with a depth axis would be needed'
SEQUENCE = ('it lifts 2-D keypoints and sees no image; a backbone of images '
            'would be needed')
# What a swap would need where there is none.
NEEDED = dict(
    CPMHead=STAGES,
    MSPNHead=STAGES,
    ViPNASHead='its searched, grouped deconvolutions are the point of the '
    'model; an SR head with grouped deconvolutions would be needed',
    VisPredictHead='it predicts visibility beside the keypoints; an SR head '
    'with that second output would be needed',
    DEKRHead=DENSE,
    CIDHead='it predicts the heatmaps of one person at a time from the '
    'features at his centre; an SR variant of that decoupling would be needed',
    RTMOHead=DENSE,
    YOLOXPoseHead=DENSE,
    EDPoseHead='it predicts keypoints as queries of a transformer; features '
    'on a grid for each person would be needed',
    InternetHead=VOLUME,
    TemporalRegressionHead=SEQUENCE,
    TrajectoryRegressionHead=SEQUENCE,
    MotionRegressionHead=SEQUENCE,
    SRPoseHead='it is SRPose already; swap the stock config that it came from',
    DWPoseDistiller='it is a teacher and a student; a distiller that takes SR '
    'heads would be needed, swap the student\'s own config to train it alone')


class StockModel(NamedTuple):
    """The parts of a model whose head can be swapped.

    Attributes:
        backbone: Config of the backbone.
        neck: Config of the neck; ``None`` if there is none.
        head: Config of the head.
        known: What is known of that head.
        codec: Config of the codec.
        num_keypoints: Number of keypoints, K.
        input_size: (w, h) of the input, in px.
    """
    backbone: ConfigDict
    neck: Optional[ConfigDict]
    head: ConfigDict
    known: KnownHead
    codec: ConfigDict
    num_keypoints: int
    input_size: Tuple[int, int]

    @property
    def bottom_up(self) -> bool:
        """Whether the head groups keypoints to people."""
        return self.known.estimator == BOTTOM_UP


def read_stock_model(cfg: Config) -> StockModel:
    """Read what a swap has to know of a model.

    Args:
        cfg: The config.

    Returns:
        The parts, which are those of the config and no copies.

    Raises:
        SwapRefused: If the model is not backbone (+ neck) to one head that is
            known, with one codec.
    """
    model = cfg.model
    head = model.get('head')
    name = type_name(head if isinstance(head, dict) else model)
    known = HEADS.get(name)
    if known is None or type_name(model) != known.estimator:
        needed = NEEDED.get(
            name, 'an estimator with one backbone that feeds one of '
            f'{sorted(HEADS)} would be needed')
        raise SwapRefused(
            f'swap_head: {name} cannot be swapped: {needed}')
    codecs = [head.get('decoder'), cfg.get('codec')]
    if known.estimator == BOTTOM_UP:
        # The decoder's maps may be resized ones, not those of the targets.
        codecs.reverse()
    codec = next(filter(None, codecs), None)
    if not isinstance(codec, dict) or 'input_size' not in codec:
        raise SwapRefused(
            'swap_head: expected one codec with an input_size as decoder of '
            f'the head, got {codec!r}; name it there')
    keypoints = head[known.keypoints]
    if codec.get('heatmap_type') == 'combined':
        keypoints //= 3  # a heatmap and two offsets each
    return StockModel(model.backbone, model.get('neck'), head, known, codec,
                      keypoints, tuple(codec['input_size']))
