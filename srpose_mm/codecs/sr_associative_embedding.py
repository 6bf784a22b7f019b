from dataclasses import replace
from functools import partial
from typing import Any, Callable, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmpose.codecs import AssociativeEmbedding
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from .utils import arguments, geometry, grouping, refinement, windowed
from .utils.gaussians import draw_instances
from .utils.peaks import Peaks, tags_at, top_candidates
from .utils.windowed import WindowedHeatmaps

# Keypoints, their scores and the scores of the instances, for each image.
Decoded = Tuple[List[np.ndarray], List[np.ndarray], List[np.ndarray]]
# A function that finds cells, see SRAssociativeEmbedding._fill_missing.
Search = Callable[[Tensor, Tensor, Tensor], Tensor]


@KEYPOINT_CODECS.register_module()
class SRAssociativeEmbedding(AssociativeEmbedding):
    """Associative embedding on heatmaps at the resolution of the input.

    It encodes, groups and decodes like :class:`AssociativeEmbedding`.
    Differences: full-resolution defaults; targets are packed by the stock
    pipeline, so that it can be trained, and can be generated on the GPU;
    decoding is batched; Gaussians are centered even if 3 sigma is not an
    integer.

    Letters: N instances, K keypoints, w and h the size of the input in px, W
    and H the size of the heatmap in cells, L numbers in a tag, B batch.

    Encoded:

        - heatmaps (np.ndarray): (K, H, W), float32, the maximum over
          instances; or, with ``target='keypoints'``,
        - keypoint_labels (np.ndarray): (N, K, 2), float32, in input px, from
          which :meth:`make_targets` makes the same heatmaps
        - keypoint_indices (np.ndarray): (N, K, 2), int64: the heatmap cell
          y * W + x, and 1 if the keypoint has a tag, else 0
        - keypoint_weights (np.ndarray): (N, K), float32
        - encoder (tuple): this codec's settings, N times; in a pipeline

    Args:
        input_size: (w, h) of the network input, in px.
        heatmap_size: (W, H) of the heatmap, in cells. ``None`` means
            ``input_size``.
        sigma: Standard deviation of the Gaussian in cells. ``None`` means
            sqrt(W * H) / 64: 8 at 512x512.
        use_udp: Map pixels as UDP does, (w - 1) / (W - 1).
        decode_keypoint_order: Order in which keypoints join groups. ``None``
            means by number.
        decode_nms_kernel: Side of the square around a peak in which no cell is
            higher, in cells, odd.
        decode_max_instances: Largest number of instances, or ``None``.
        target: Target in a sample: ``'heatmaps'``, or ``'keypoints'``, from
            which :class:`SRAssociativeEmbeddingHead` makes the heatmaps on its
            device. Stock heads cannot train on ``'keypoints'``.
        **kwargs: The other options of :class:`AssociativeEmbedding`.

    Raises:
        TypeError: If ``sigma`` is not a number.
        ValueError: If an argument is out of range, if the order does not name
            each keypoint once, or if a pipeline crops to another size.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 4.3; grouping: Newell et al., "Associative Embedding" (NIPS 2017).
    """

    auxiliary_encode_keys = {'input_size'}
    label_mapping_table = dict(
        keypoint_labels='keypoint_labels',
        keypoint_weights='keypoint_weights',
        keypoint_indices='keypoint_indices',
        encoder='encoder')
    field_mapping_table = dict(
        heatmaps='heatmaps', heatmap_mask='heatmap_mask')

    def __init__(self,
                 input_size: Tuple[int, int],
                 heatmap_size: Optional[Tuple[int, int]] = None,
                 sigma: Optional[float] = None,
                 use_udp: bool = False,
                 decode_keypoint_order: Optional[Sequence[int]] = None,
                 decode_nms_kernel: int = 11,
                 decode_max_instances: Optional[int] = 30,
                 target: str = 'heatmaps',
                 **kwargs: Any) -> None:
        order = list(decode_keypoint_order or [])
        arguments.require(
            self,
            sorted(order) == list(range(len(order))),
            'expected decode_keypoint_order to name each keypoint from 0 on '
            f'once, got {order}')
        input_size, heatmap_size = arguments.check_sizes(
            self, input_size, heatmap_size)
        arguments.check_choice(self, 'target', target, arguments.TARGETS)
        arguments.check_udp(self, use_udp, heatmap_size)
        arguments.check_odd(self, 'decode_nms_kernel', decode_nms_kernel)
        super().__init__(
            input_size,
            heatmap_size,
            sigma,
            use_udp,
            decode_keypoint_order=order,
            decode_nms_kernel=decode_nms_kernel,
            decode_max_instances=decode_max_instances,
            **kwargs)
        self.sigma = arguments.check_sigma(self, self.sigma)
        arguments.check_odd(self, 'decode_gaussian_kernel',
                            self.decode_gaussian_kernel)
        self.target = target

    def encode(self,
               keypoints: np.ndarray,
               keypoints_visible: Optional[np.ndarray] = None,
               input_size: Optional[Tuple[int, int]] = None) -> dict:
        """Encode instances (N, K, 2), in input px; see the class.

        ``keypoints_visible`` (N, K) below 0.5 means invisible, ``None`` all
        visible; a pipeline passes the size (w, h) of its crops. The arrays are
        not changed.
        """
        encoded = arguments.encoder_of_samples(self, input_size,
                                               len(keypoints))
        keypoints, visible = geometry.usable_keypoints(
            keypoints, keypoints_visible)
        # The stock codec draws other Gaussians off their center.
        centered = geometry.gaussian_radius(self.sigma).is_integer()
        if self.target == 'heatmaps' and centered:
            return dict(super().encode(keypoints, visible), **encoded)
        cells = keypoints / self.scale_factor
        weights = visible * geometry.reaches_map(
            geometry.nearest_cell(cells), self.heatmap_size, self.sigma)
        encoded.update(
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

        Of B images with labels (N, K, 2) and weights (N, K) from
        :meth:`encode` with ``target='keypoints'``, where N may differ, it
        makes heatmaps (B, K, H, W), float32.
        """
        labels = keypoint_labels[0]
        scale = labels.new_tensor(self.scale_factor)
        heatmaps = labels.new_zeros(
            len(keypoint_labels),
            labels.shape[1],
            *self.heatmap_size[::-1],
            dtype=torch.float32)
        for maps, labels, weights in zip(heatmaps, keypoint_labels,
                                         keypoint_weights):
            draw_instances(maps, labels / scale, weights > 0, self.sigma,
                           rounded=not self.use_udp)
        return heatmaps

    def batch_decode(self,
                     batch_heatmaps: Union[Tensor, WindowedHeatmaps],
                     batch_tags: Optional[Tensor] = None) -> Decoded:
        """Decode the instances of a batch.

        The instances are those of :class:`AssociativeEmbedding`. The heatmaps
        remain on their device: the candidates of all images are refined there
        and copied to the host, which groups them; the tags of instances with
        missing keypoints are copied back, and the cells that fit are returned.

        Args:
            batch_heatmaps: Heatmaps in shape (B, K, H, W), or in windows.
            batch_tags: Tags in shape (B, L * K, H, W); none with windows.

        Returns:
            For each image the keypoints (N, K, 2), in input px, their scores
            (N, K) and the scores of the instances (N, ). With ``use_udp`` the
            score of a keypoint that was filled in is the log of the blurred
            heatmap, as in the stock codec.

        Raises:
            ValueError: If the tags are missing, the shapes do not match or the
                order is for another number of keypoints.
        """
        if isinstance(batch_heatmaps, WindowedHeatmaps):
            return self._decode_windowed(batch_heatmaps)
        arguments.require(
            self, batch_tags is not None, 'expected the tags of the heatmaps, '
            'got None; pass batch_tags')
        heatmaps, tags, order = self._check_maps(batch_heatmaps, batch_tags)
        values, cell_tags, cells = top_candidates(
            heatmaps, tags, self.decode_nms_kernel, self.decode_topk)
        if self.use_udp:
            kernel = self.decode_gaussian_kernel
            heatmaps = refinement.log_blurred(heatmaps, kernel)
            points = refinement.refine_dark_udp(cells.float(), heatmaps,
                                                kernel)
        else:
            points = refinement.refine_shift(
                Peaks(cells.float(), values, heatmaps))
        points = points + self.decode_center_shift

        def search(maps: Tensor, instance: Tensor, wanted: Tensor) -> Tensor:
            index = grouping.strongest_of_nearest(heatmaps, tags, maps, wanted)
            scores = heatmaps.flatten(2).flatten(0, 1)[maps, index]
            cells = geometry.cells_of_index(index, heatmaps.shape[-1])
            return torch.cat([cells, scores[:, None]], dim=-1)

        return self._group(points, values, cell_tags, tags_at(points, tags),
                           order, search)

    def _decode_windowed(self, maps: WindowedHeatmaps) -> Decoded:
        """Decode heatmaps that are evaluated around their candidates."""
        arguments.require(
            self, not self.use_udp, 'expected heatmaps with use_udp=True, '
            'which blurs them; set peaks_only=False')
        pooled, tags, order = self._check_maps(maps.pooled, maps.tags)
        maps = replace(maps, pooled=pooled, tags=tags.flatten(1, 2))
        points, values, cell_tags = windowed.window_candidates(
            maps, self.decode_nms_kernel, self.decode_topk)
        points = points + self.decode_center_shift
        return self._group(points, values, cell_tags, maps.tags_at(points),
                           order, partial(windowed.strongest_in_windows, maps))

    def _check_maps(self, heatmaps: Tensor,
                    tags: Tensor) -> Tuple[Tensor, Tensor, Sequence[int]]:
        """Return contiguous heatmaps, tags (B, L, K, H, W) and the order."""
        keypoints = heatmaps.shape[1]
        valid = (
            heatmaps.ndim == tags.ndim == 4
            and heatmaps.shape[::2] == tags.shape[::2]
            and heatmaps.shape[3] == tags.shape[3]
            and tags.shape[1] % keypoints == 0 < tags.shape[1])
        arguments.require(
            self, valid, 'expected heatmaps in shape (B, K, H, W) and tags in '
            f'shape (B, L * K, H, W), got {tuple(heatmaps.shape)} and '
            f'{tuple(tags.shape)}; repeat tags that all keypoints share')
        order = self.decode_keypoint_order or range(keypoints)
        arguments.require(
            self,
            len(order) == keypoints, 'expected decode_keypoint_order for '
            f'{keypoints} keypoints, got {order}')
        tags = tags.detach().float().contiguous()
        return (heatmaps.detach().float().contiguous(),
                tags.unflatten(1, (-1, keypoints)), order)

    def _group(self, points: Tensor, values: Tensor, cell_tags: Tensor,
               point_tags: Tensor, order: Sequence[int],
               search: Search) -> Decoded:
        """Group candidates into instances and fill in missing keypoints.

        The candidates (B, K, M, 2) in heatmap cells have values (B, K, M), and
        tags (B, K, M, L) of their cells before and after refinement.
        """
        parts = points, values[..., None], cell_tags, point_tags
        packed = torch.cat(parts, dim=-1).detach().cpu().numpy()
        length = cell_tags.shape[-1]
        instances = []
        for candidates in packed:
            picked = grouping.group_by_tags(
                candidates[..., 2], candidates[..., 3:3 + length], order,
                self.decode_keypoint_thr, self.decode_tag_thr,
                self.decode_max_instances)
            # (N, K, 3 + 2 * L), zero where an instance lacks a keypoint.
            rows = candidates[range(len(order)), picked]
            instances.append(np.where(picked[..., None] >= 0, rows, 0))
        instance_scores = [rows[..., 2].mean(axis=-1) for rows in instances]
        self._fill_missing(instances, length, search, points.device)
        return ([rows[..., :2] * self.scale_factor for rows in instances],
                [rows[..., 2] for rows in instances], instance_scores)

    @staticmethod
    def _fill_missing(instances: List[np.ndarray], length: int, search: Search,
                      device: torch.device) -> None:
        """Fill in the keypoints that grouping did not assign, in place.

        A missing keypoint is placed on the highest cell among those whose tag
        is nearest to the mean tag of the instance's other keypoints.

        Each image has an array (N, K, 3 + 2 * L) of (x, y, score, ..., tag); a
        score of 0 or less means missing. ``search`` is a function of heatmaps
        b * K + k, instances n, both in shape (Q, ), and tags (Q, L = length)
        that returns (x, y, score) of these cells in shape (Q, 3).
        """
        places, searches = [], []
        for image, rows in enumerate(instances):
            for n, (row, known) in enumerate(zip(rows, rows[..., 2] > 0)):
                tag = row[known, -length:].mean(axis=0)
                for k in np.flatnonzero(~known):
                    places.append((row, k))
                    searches.append([image * len(row) + k, n, *tag])
        if not places:
            return
        searches = torch.tensor(
            np.array(searches, dtype=np.float32)).to(device)
        answers = search(*searches[:, :2].long().unbind(-1), searches[:, 2:])
        for (row, k), answer in zip(places, answers.detach().cpu().numpy()):
            row[k, :3] = answer
