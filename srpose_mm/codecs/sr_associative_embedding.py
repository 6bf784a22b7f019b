from typing import List, Optional, Sequence, Tuple

import numpy as np
import torch
from mmpose.codecs import AssociativeEmbedding
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from .utils import (
    TARGETS,
    check_choice,
    fill_missing_keypoints,
    group_by_tags,
    log_blurred,
    people_heatmaps,
    reaches_map,
    refine_dark_udp,
    refine_shift,
    top_candidates,
    usable_keypoints,
)


@KEYPOINT_CODECS.register_module()
class SRAssociativeEmbedding(AssociativeEmbedding):
    """Associative embedding on heatmaps of the input's resolution.

    It encodes, groups and decodes as :class:`AssociativeEmbedding`. What
    differs is the defaults, that its targets are packed by the stock pipeline,
    so that it can be trained, and that they can be made on the device. (Only
    where 3 sigma is not whole does the stock codec draw Gaussians beside their
    centre; this one does not.)

    Letters: N instances, K keypoints, w and h the size of the input in px, W
    and H the size of the heatmap in cells, B batch.

    Encoded:

        - heatmaps (np.ndarray): (K, H, W), float32, the highest over people;
          or, with ``target='keypoints'``,
        - keypoint_labels (np.ndarray): (N, K, 2), float32, in input px, of
          which :meth:`make_targets` makes the same heatmaps
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
        target: What a sample carries: ``'heatmaps'``, or ``'keypoints'``, of
            which :class:`SRAssociativeEmbeddingHead` makes the heatmaps on its
            device. Other heads then miss ``gt_fields.heatmaps``.
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
        ValueError: If ``target`` is neither of the two or the order does not
            name each keypoint once.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 4.3; grouping: Newell et al., "Associative Embedding" (NIPS 2017).
    """

    label_mapping_table = dict(
        keypoint_labels='keypoint_labels',
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
                 decode_max_instances: Optional[int] = 30,
                 target: str = 'heatmaps') -> None:
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
        self.target = check_choice(
            type(self).__name__, 'target', target, TARGETS)
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
            ``heatmaps`` (K, H, W), or ``keypoint_labels`` (N, K, 2);
            ``keypoint_indices`` (N, K, 2) and ``keypoint_weights`` (N, K).
        """
        keypoints, visible = usable_keypoints(keypoints, keypoints_visible)
        # Stock code draws other Gaussians beside their centre.
        if self.target == 'heatmaps' and float(3 * self.sigma).is_integer():
            return super().encode(keypoints, visible)
        cells = keypoints / self.scale_factor
        weights = visible * reaches_map(
            np.trunc(cells + 0.5), self.heatmap_size, self.sigma)
        encoded = dict(
            keypoint_indices=self._encode_keypoint_indices(
                self.heatmap_size, cells, visible),
            keypoint_weights=weights)
        if self.target == 'keypoints':
            encoded['keypoint_labels'] = keypoints
        else:
            encoded['heatmaps'] = self.make_targets(
                [torch.from_numpy(keypoints)],
                [torch.from_numpy(weights)])[0].numpy()
        return encoded

    def make_targets(self, keypoint_labels: Sequence[Tensor],
                     keypoint_weights: Sequence[Tensor]) -> Tensor:
        """Make the heatmaps of a batch on the labels' device.

        Args:
            keypoint_labels: What :meth:`encode` gave with
                ``target='keypoints'`` for B images, each in shape (N, K, 2)
                with an N of its own, in input px.
            keypoint_weights: Weights, each in shape (N, K).

        Returns:
            Heatmaps in shape (B, K, H, W), float32.
        """
        scale = keypoint_labels[0].new_tensor(self.scale_factor)
        return people_heatmaps(
            [labels / scale for labels in keypoint_labels],
            [weights > 0 for weights in keypoint_weights],
            self.heatmap_size,
            self.sigma,
            rounded=not self.use_udp)

    def batch_decode(
        self, batch_heatmaps: Tensor, batch_tags: Tensor
    ) -> Tuple[List[np.ndarray], List[np.ndarray], List[np.ndarray]]:
        """Decode the people of a batch.

        The same people as :class:`AssociativeEmbedding` finds. The maps stay
        on their device: what leaves it are the candidates and, of each
        person, the place, tag and score of each keypoint.

        Args:
            batch_heatmaps: Heatmaps in shape (B, K, H, W). Not changed.
            batch_tags: Tags in shape (B, L * K, H, W). Not changed.

        Returns:
            For each sample the keypoints (N, K, 2), in input px, their scores
            (N, K) and the people's scores (N, ). With ``use_udp`` the score
            of a keypoint that was not detected but filled in is the log of
            the blurred heatmap, as in the stock codec.

        Raises:
            ValueError: If the shapes do not go together or the order is for
                another number of keypoints.
        """
        heatmaps, tags, order = self._check_maps(batch_heatmaps, batch_tags)
        candidates = top_candidates(heatmaps, tags, self.decode_nms_kernel,
                                    self.decode_topk)
        keypoints, scores, instance_scores = [], [], []
        for maps, sample_tags, *found in zip(
                heatmaps, tags, *(c.cpu().numpy() for c in candidates)):
            values, found_tags, cells = found
            people = group_by_tags(
                values, found_tags, cells, order, self.decode_keypoint_thr,
                self.decode_tag_thr, self.decode_max_instances)
            points, heights = self._place_people(people, maps, sample_tags)
            keypoints.append(points * self.scale_factor)
            scores.append(heights)
            instance_scores.append(people[..., 2].mean(axis=-1))
        return keypoints, scores, instance_scores

    def _check_maps(self, heatmaps: Tensor,
                    tags: Tensor) -> Tuple[Tensor, Tensor, Sequence[int]]:
        """Contiguous heatmaps, tags (B, L, K, H, W) and the order."""
        keypoints = heatmaps.shape[1]
        if (heatmaps.ndim != 4 or tags.ndim != 4
                or tags.shape[0] != heatmaps.shape[0]
                or tags.shape[2:] != heatmaps.shape[2:]
                or tags.shape[1] % keypoints or not tags.shape[1]):
            raise ValueError(
                'SRAssociativeEmbedding: expected heatmaps in shape '
                '(B, K, H, W) and tags in shape (B, L * K, H, W), got '
                f'{tuple(heatmaps.shape)} and {tuple(tags.shape)}; repeat '
                'tags that all keypoints share')
        order = self.decode_keypoint_order or range(keypoints)
        if len(order) != keypoints:
            raise ValueError(
                'SRAssociativeEmbedding: expected decode_keypoint_order for '
                f'{keypoints} keypoints, got {order}')
        tags = tags.detach().float().contiguous()
        return (heatmaps.detach().float().contiguous(),
                tags.unflatten(1, (-1, keypoints)), order)

    def _place_people(self, people: np.ndarray, heatmaps: Tensor,
                      tags: Tensor) -> Tuple[np.ndarray, np.ndarray]:
        """Refine people's keypoints (N, K, 3) and fill in the missing ones.

        Gives keypoints (N, K, 2), in heatmap cells, and scores (N, K).
        """
        points, scores = people[..., :2], people[..., 2]
        if not len(people):
            return points, scores
        peaks = torch.from_numpy(points).to(heatmaps.device)
        peaks = peaks.transpose(0, 1)[None]
        if self.use_udp:
            heatmaps = log_blurred(heatmaps[None],
                                   self.decode_gaussian_kernel)[0]
            peaks = refine_dark_udp(peaks, heatmaps[None])
        else:
            peaks = refine_shift(peaks, heatmaps[None])
        points = peaks[0].transpose(0, 1).cpu().numpy()
        found = (scores > 0).astype(points.dtype)
        points = points + self.decode_center_shift * found[..., None]
        return fill_missing_keypoints(points, scores, heatmaps, tags)
