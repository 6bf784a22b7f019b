"""Codec and loss to train MMPose's associative embedding head."""
from typing import Optional

from mmpose.codecs import AssociativeEmbedding
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor


@KEYPOINT_CODECS.register_module()
class PackedAssociativeEmbedding(AssociativeEmbedding):
    """MMPose's codec, whose targets reach the samples.

    MMPose 1.3.2's own names no targets to pack, so that the samples have no
    ``keypoint_indices`` and the head fails with an AttributeError.
    """

    label_mapping_table = dict(
        keypoint_indices='keypoint_indices',
        keypoint_weights='keypoint_weights')
    field_mapping_table = dict(
        heatmaps='heatmaps', heatmap_mask='heatmap_mask')


@MODELS.register_module()
class MaskedMSELoss(KeypointMSELoss):
    """Mean squared error inside the mask, without weights of keypoints.

    MMPose 1.3.2's AssociativeEmbeddingHead passes the weights (N, K) of all
    N instances of the batch, but the heatmaps (B, K, H, W) have one channel
    for all instances of an image. KeypointMSELoss raises an AssertionError
    unless each image has one instance.
    """

    def forward(self,
                output: Tensor,
                target: Tensor,
                target_weights: Optional[Tensor] = None,
                mask: Optional[Tensor] = None) -> Tensor:
        """Return the loss of heatmaps (B, K, H, W).

        Args:
            output: The predicted heatmaps.
            target: The targets in the same shape.
            target_weights: Ignored.
            mask: Mask (B, 1, H, W) of the valid cells.
        """
        return super().forward(output, target, None, mask)
