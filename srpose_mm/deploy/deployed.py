"""The model in an exported file and the facts that a runtime needs."""
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from mmengine.config import Config
from mmengine.model import ImgDataPreprocessor
from mmpose.codecs import UDPHeatmap
from mmpose.models import TopdownPoseEstimator
from torch import Tensor, nn

from ..configs import iter_typed, type_name
from .fuse import fuse_for_inference

AXES = dict(
    inputs=('batch', 'channel', 'row', 'column'),
    keypoints=('batch', 'keypoint', 'xy'),
    scores=('batch', 'keypoint'),
    heatmaps=('batch', 'keypoint', 'row', 'column'),
    tags=('batch', 'tag', 'row', 'column'))
HOW_TO_USE = """\
The metadata's values are JSON. Sizes and points are in the order x, y.
Box: c is the centre of the instance's box, or of the image if box is "image".
s is (width, height) * box_padding, of which one number is then enlarged to
the aspect ratio of input_size.
Crop: input px = (image px - c + s / 2) * input_size / s, bilinear, zeros
outside the image. If udp is true, the factor is (input_size - 1) / s.
Input: channels in channel_order, 0 to 255, then (value - mean) / std.
Output: keypoints in input px; scores are the heights of the peaks. If the
output is heatmaps, input px = heatmap cell * cell_size. No flip test is done.
Back: image px = input px * s / input_size + c - s / 2."""


class DeployedModel(nn.Module):
    """Fused pose estimator from images to the outputs of a file.

    Shapes: (B, C, h, w) -> keypoints (B, K, 2) and scores (B, K). Without
    decoding -> heatmaps (B, K, H, W), and tags (B, L, H, W) of a bottom-up
    model.

    Args:
        model: Pose estimator of MMPose. It is not changed.
        decode: Whether the head's codec decodes the heatmaps.
        normalize: Whether the model's data preprocessor is included.
    """

    def __init__(self, model: nn.Module, decode: bool, normalize: bool):
        super().__init__()
        self.model = fuse_for_inference(model)
        self.decode = decode
        self.normalize = normalize
        self.keypoint_indices = output_keypoint_indices(model)

    def forward(self, images: Tensor) -> Union[Tensor, Tuple[Tensor, ...]]:
        """Return the outputs for float32 images in shape (B, C, h, w)."""
        if self.normalize:
            # PoseDataPreprocessor counts images in Python, which a trace
            # cannot record.
            images = ImgDataPreprocessor.forward(self.model.data_preprocessor,
                                                 dict(inputs=images))['inputs']
        outputs = self.model(images, None)
        if self.decode:
            outputs = self.model.head.decoder.decode_tensor(outputs)
        if self.keypoint_indices is None:
            return outputs
        if isinstance(outputs, Tensor):
            return outputs[:, self.keypoint_indices]
        return tuple(output[:, self.keypoint_indices] for output in outputs)


def output_keypoint_indices(model: nn.Module) -> Optional[List[int]]:
    """Return the keypoints that MMPose selects, ``None`` for all.

    MMPose selects ``output_keypoint_indices`` from the outputs of top-down
    models, but not from maps that are not one per keypoint.
    """
    if (not isinstance(model, TopdownPoseEstimator) or getattr(
            model.head.decoder, 'heatmap_type', None) == 'combined'):
        return None
    return (model.test_cfg or {}).get('output_keypoint_indices')


def describe(cfg: Config, deployed: DeployedModel, dataset_meta: dict,
             shapes: Dict[str, Sequence[int]]) -> Dict[str, Any]:
    """Return the facts that are needed to use a file without MMPose.

    Args:
        cfg: Config of the model.
        deployed: The model in the file.
        dataset_meta: Metainfo of the model's data set.
        shapes: Shape of ``inputs`` and of each output, with B.
    """
    model, (channels, *size_hw) = deployed.model, shapes['inputs'][1:]
    top_down = isinstance(model, TopdownPoseEstimator)
    loader = cfg.get('test_dataloader') or cfg.get('val_dataloader')
    steps = {type_name(step): step for step in iter_typed(loader)}
    crop = steps.get('TopdownAffine' if top_down else 'BottomupResize', {})
    padding = steps.get('GetBBoxCenterScale', {}).get('padding', 1.25)
    facts = dict(
        input_size=size_hw[::-1],
        box='instance' if top_down else 'image',
        box_padding=padding if top_down else 1.,
        udp=crop.get('use_udp', False),
        **_describe_channels(model, channels, deployed.normalize),
        axes={name: AXES[name]
              for name in shapes})
    if 'heatmaps' in shapes:
        codec = model.head.decoder
        # The stock codecs map the last cells onto each other in UDP.
        udp = isinstance(codec, UDPHeatmap) or getattr(codec, 'use_udp', False)
        facts['cell_size'] = [
            (size - (udp and not top_down)) / (cells - udp)
            for size, cells in zip(size_hw[::-1], shapes['heatmaps'][:1:-1])
        ]
    names = _keypoint_names(deployed, dataset_meta)
    if names:
        facts['keypoint_names'] = names
    return facts


def _describe_channels(model: nn.Module, channels: int,
                       normalized: bool) -> Dict[str, Any]:
    """Return order, mean and standard deviation of the input's channels."""
    preprocessor, order = model.data_preprocessor, 'BGR'
    mean, std = [0.] * channels, [1.] * channels
    if not normalized:
        if getattr(preprocessor, '_channel_conversion', False):
            order = 'RGB'
        if getattr(preprocessor, '_enable_normalize', False):
            mean, std = ([round(value, 5) for value in values.flatten()
                          .expand(channels).tolist()]
                         for values in (preprocessor.mean, preprocessor.std))
    order = 'GRAY' if channels == 1 else order
    return dict(channel_order=order, mean=mean, std=std)


def _keypoint_names(deployed: DeployedModel, dataset_meta: dict) -> List[str]:
    """Return the names of the outputs' keypoints, or none if unknown."""
    names = dataset_meta['keypoint_id2name']
    head = deployed.model.head
    # Bottom-up heads count their tags among their output channels.
    number = getattr(head, 'num_keypoints', getattr(head, 'out_channels', 0))
    if len(names) != number:
        return []
    return [names[i] for i in deployed.keypoint_indices or range(number)]
