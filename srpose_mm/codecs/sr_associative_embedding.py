from typing import Optional, Sequence, Tuple

import numpy as np
from mmpose.codecs import AssociativeEmbedding
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from .utils import usable_keypoints


@KEYPOINT_CODECS.register_module()
class SRAssociativeEmbedding(AssociativeEmbedding):
    """Associative embedding on heatmaps of the input's resolution.

    It encodes, groups and decodes as :class:`AssociativeEmbedding`. What
    differs is the defaults, and that its targets are packed by the stock
    pipeline, so that it can be trained.

    Letters: N instances, K keypoints, w and h the size of the input in px, W
    and H the size of the heatmap in cells.

    Encoded:

        - heatmaps (np.ndarray): (K, H, W), float32, the highest over people
        - keypoint_indices (np.ndarray): (N, K, 2), int64: the place y * W + x
          in the heatmap, and whether the keypoint counts
        - keypoint_weights (np.ndarray): (N, K), float32

    Args:
        input_size: (w, h) of the network input, in px.
        heatmap_size: (W, H) of the heatmap, in cells. ``None`` means
            ``input_size``.
        sigma: Standard deviation of the Gaussian in heatmap cells. ``None``
            is sqrt(W * H) / 64: 8 at 512x512.
        use_udp: Whether pixels map as in UDP, (w - 1) / (W - 1).
        decode_keypoint_order: The order in which keypoints join groups.
            ``None`` takes them by number.
        decode_nms_kernel: Cells around a peak that hold no other, odd.
        decode_gaussian_kernel: Size of the blur before refinement, with UDP.
        decode_keypoint_thr: Lowest response of a keypoint.
        decode_tag_thr: Largest distance of a keypoint's tag to its group.
        decode_topk: Candidates of each keypoint.
        decode_center_shift: Cells that a decoded keypoint is moved.
        decode_max_instances: Largest number of people; ``None`` for no limit.

    Raises:
        ValueError: If the order does not name each keypoint once.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 4.3; grouping: Newell et al., "Associative Embedding" (NIPS 2017).
    """

    label_mapping_table = dict(
        keypoint_weights='keypoint_weights',
        keypoint_indices='keypoint_indices')
    field_mapping_table = dict(
        heatmaps='heatmaps', heatmap_mask='heatmap_mask')

    def __init__(self,
                 input_size: Tuple[int, int],
                 heatmap_size: Optional[Tuple[int, int]] = None,
                 sigma: Optional[float] = None,
                 use_udp: bool = False,
                 decode_keypoint_order: Optional[Sequence[int]] = None,
                 decode_nms_kernel: int = 11,
                 decode_gaussian_kernel: int = 3,
                 decode_keypoint_thr: float = 0.1,
                 decode_tag_thr: float = 1.0,
                 decode_topk: int = 30,
                 decode_center_shift: float = 0.0,
                 decode_max_instances: Optional[int] = 30) -> None:
        super().__init__(
            input_size=input_size,
            heatmap_size=heatmap_size or input_size,
            sigma=sigma,
            use_udp=use_udp,
            decode_keypoint_order=list(decode_keypoint_order or []),
            decode_nms_kernel=decode_nms_kernel,
            decode_gaussian_kernel=decode_gaussian_kernel,
            decode_keypoint_thr=decode_keypoint_thr,
            decode_tag_thr=decode_tag_thr,
            decode_topk=decode_topk,
            decode_center_shift=decode_center_shift,
            decode_max_instances=decode_max_instances)
        order = self.decode_keypoint_order
        if sorted(order) != list(range(len(order))):
            raise ValueError(
                'SRAssociativeEmbedding: expected decode_keypoint_order to '
                f'name each keypoint from 0 on once, got {order}')

    def encode(self,
               keypoints: np.ndarray,
               keypoints_visible: Optional[np.ndarray] = None) -> dict:
        """Encode people into heatmaps and places for their tags.

        Args:
            keypoints: Coordinates in shape (N, K, 2), in input px. Not
                changed.
            keypoints_visible: Visibility in shape (N, K); below 0.5 counts as
                invisible. ``None`` means all visible. Not changed.

        Returns:
            ``heatmaps`` (K, H, W), ``keypoint_indices`` (N, K, 2) and
            ``keypoint_weights`` (N, K).
        """
        return super().encode(*usable_keypoints(keypoints, keypoints_visible))

    def batch_decode(self, batch_heatmaps: Tensor, batch_tags: Tensor):
        """Decode the people of a batch.

        Args:
            batch_heatmaps: Heatmaps in shape (B, K, H, W). Not changed.
            batch_tags: Tags in shape (B, L * K, H, W).

        Returns:
            For each sample the keypoints (N, K, 2), in input px, their scores
            (N, K) and the people's scores (N, ).
        """
        if self.use_udp:
            # The stock refinement blurs the maps that it is given.
            batch_heatmaps = batch_heatmaps.clone()
        return super().batch_decode(batch_heatmaps, batch_tags)

    def _group_keypoints(self, batch_vals, batch_tags, batch_locs):
        """Group candidates; see :class:`AssociativeEmbedding`."""
        keypoints = batch_vals.shape[1]
        if not self.decode_keypoint_order:
            self.decode_keypoint_order = list(range(keypoints))
        if len(self.decode_keypoint_order) != keypoints:
            raise ValueError(
                'SRAssociativeEmbedding: expected decode_keypoint_order for '
                f'{keypoints} keypoints, got {self.decode_keypoint_order}')
        return super()._group_keypoints(batch_vals, batch_tags, batch_locs)
