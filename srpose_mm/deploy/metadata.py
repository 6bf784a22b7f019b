"""Facts that are needed to use an exported file without MMPose."""
from typing import Any, Dict, List, Optional, Sequence

from mmengine.config import Config
from mmpose.codecs import UDPHeatmap
from mmpose.models import TopdownPoseEstimator
from torch import nn

from ..configs import iter_typed, type_name
from ..datasets.utils import keypoint_names

AXES = dict(
    inputs=('batch', 'channel', 'row', 'column'),
    keypoints=('batch', 'keypoint', 'xy'),
    scores=('batch', 'keypoint'),
    heatmaps=('batch', 'keypoint', 'row', 'column'),
    tags=('batch', 'tag', 'row', 'column'))
HOW_TO_USE = """\
The metadata's values are JSON. Sizes and points are in the order x, y.
Box: c is the center of the instance's box, or of the image if box is "image".
s is (width, height) * box_padding. One side of s is then enlarged until s has
the aspect ratio of input_size.
Crop: input px = (image px - c + s / 2) * input_size / s, bilinear, zeros
outside the image. If udp is true, the factor is (input_size - 1) / s.
Input: channels in channel_order, 0 to 255, then (value - mean) / std.
Output: keypoints in input px; scores are the heights of the peaks. If the
output is heatmaps, input px = heatmap cell * cell_size. No flip test is done.
Back: image px = input px * s / input_size + c - s / 2."""


def describe(cfg: Config, model: nn.Module, shapes: Dict[str, Sequence[int]],
             normalized: bool,
             keypoint_indices: Optional[List[int]]) -> Dict[str, Any]:
    """Return the facts as values that JSON can hold.

    Args:
        cfg: Config of the model.
        model: Pose estimator with ``dataset_meta``.
        shapes: Shape of ``inputs`` and of each output, without B.
        normalized: Whether the file normalizes the images.
        keypoint_indices: Keypoints in the file, ``None`` for all.
    """
    channels, *size_hw = shapes['inputs']
    top_down = isinstance(model, TopdownPoseEstimator)
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    steps = {type_name(step): step for step in iter_typed(loader)}
    crop = steps.get('TopdownAffine' if top_down else 'BottomupResize', {})
    padding = steps.get('GetBBoxCenterScale', {}).get('padding', 1.25)
    facts = dict(
        how_to_use=HOW_TO_USE,
        input_size=size_hw[::-1],
        box='instance' if top_down else 'image',
        box_padding=padding if top_down else 1.,
        udp=crop.get('use_udp', False),
        axes={name: AXES[name] for name in shapes},
        **_describe_channels(model.data_preprocessor, channels, normalized))
    if 'heatmaps' in shapes:
        codec = model.head.decoder
        udp = isinstance(codec, UDPHeatmap) or getattr(codec, 'use_udp', False)
        # With UDP the last cells' centers coincide. The way back divides by
        # input_size instead of input_size - 1, as top-down models of MMPose.
        facts['cell_size'] = [
            size / (cells - udp)
            for size, cells in zip(size_hw[::-1], shapes['heatmaps'][:0:-1])
        ]
    names = keypoint_names(model.dataset_meta)
    number = shapes.get('heatmaps', shapes.get('keypoints'))[0]
    if keypoint_indices is not None:
        number = model.head.out_channels
    # MMPose falls back to COCO's names if it knows none.
    if len(names) == number:
        indices = keypoint_indices or range(number)
        facts['keypoint_names'] = [names[i] for i in indices]
    return facts


def _describe_channels(preprocessor: nn.Module, channels: int,
                       normalized: bool) -> Dict[str, Any]:
    """Return order, mean and standard deviation of the input's channels."""
    order, mean, std = 'BGR', [0.] * channels, [1.] * channels
    if not normalized:
        if getattr(preprocessor, '_channel_conversion', False):
            order = 'RGB'
        if getattr(preprocessor, '_enable_normalize', False):
            mean, std = ([round(v, 5) for v in t.flatten().tolist()] *
                         (channels // len(t))
                         for t in (preprocessor.mean, preprocessor.std))
    order = 'GRAY' if channels == 1 else order
    return dict(channel_order=order, mean=mean, std=std)
