from typing import Tuple, Union

from mmengine.model import ImgDataPreprocessor
from torch import Tensor, nn

from .fuse import fuse_for_inference


class DeployedModel(nn.Module):
    """A pose estimator from images to what a deployed model gives.

    Normalisations are folded into convolutions and blocks that only training
    needs are left out.

    Shapes: (B, 3, h, w) -> heatmaps (B, K, H, W), or heatmaps and tags
    (B, L, H, W), or keypoints (B, K, 2) and scores (B, K).

    Args:
        model: A model of MMPose. Not changed.
        decode: Whether the codec of its head, an :class:`SRHeatmap`, makes
            keypoints of the heatmaps.
        normalize: Whether the images go through the model's data preprocessor
            first.
    """

    def __init__(self, model: nn.Module, decode: bool, normalize: bool):
        super().__init__()
        self.model = fuse_for_inference(model)
        self.decode = decode
        self.normalize = normalize

    def forward(self, inputs: Tensor) -> Union[Tensor, Tuple[Tensor, Tensor]]:
        """Images (B, 3, h, w), float32, to the outputs."""
        if self.normalize:
            # The base class's part: the rest counts images in Python, which
            # a trace cannot record.
            inputs = ImgDataPreprocessor.forward(self.model.data_preprocessor,
                                                 dict(inputs=inputs))['inputs']
        outputs = self.model(inputs, None)
        if self.decode:
            return self.model.head.decoder.decode_tensor(outputs)
        return outputs
