from typing import List, Optional, Tuple, Union

import cv2
import numpy as np
import torch
from mmpose.codecs import MSRAHeatmap
from mmpose.codecs.utils import (
    generate_gaussian_heatmaps,
    generate_udp_gaussian_heatmaps,
    generate_unbiased_gaussian_heatmaps,
)
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from .utils import arguments, geometry, refinement
from .utils.gaussians import SeparableHeatmaps, gaussian_heatmaps
from .utils.peaks import Peaks


@KEYPOINT_CODECS.register_module()
class SRHeatmap(MSRAHeatmap):
    """Gaussian heatmaps at up to the resolution of the input.

    With equal settings it encodes and decodes like :class:`MSRAHeatmap`: input
    px = heatmap cell * w / W. With ``use_udp`` it encodes like
    :class:`UDPHeatmap`, heatmap cell = input px * (W - 1) / (w - 1), and
    decodes like it for MMPose's estimators, which undo the crop by w: input
    px = heatmap cell * w / (W - 1).

    Differences from the stock codecs: full-resolution defaults; ``refine`` is
    independent of ``unbiased``; targets can be generated on the GPU; decoding
    is batched; Gaussians are centered even if 3 sigma is not an integer;
    ``'dark'`` does not pull keypoints away from the border.

    Letters: N instances (1 in top-down mode), K keypoints, w and h the size of
    the input in px, W and H the size of the heatmap in cells, B batch.

    Encoded:

        - heatmaps (np.ndarray): (K, H, W), float32, peak value 1; or, with
          ``target='keypoints'``,
        - keypoint_labels (np.ndarray): (N, K, 2), float32, in input px, from
          which :meth:`make_targets` makes the same heatmaps
        - keypoint_weights (np.ndarray): (N, K), float32; 0 if a keypoint is
          invisible, not finite, or so far outside the input that its Gaussian
          (3 sigma) does not reach the heatmap
        - encoder (tuple): this codec's settings, N times; in a pipeline

    Args:
        input_size: (w, h) of the network input, in px.
        heatmap_size: (W, H) of the heatmap, in cells. ``None`` means
            ``input_size``.
        sigma: Standard deviation of the Gaussian in cells. ``None`` means the
            usual 2 cells of a quarter-size heatmap, which is ``8 * W / w``: 8
            at full size.
        unbiased: Center Gaussians on the keypoint, not on the nearest cell.
        refine: Refinement of a peak: ``'none'``; ``'shift'``, a quarter cell
            towards the higher neighbor; ``'dark'``, a Newton step on the log
            of the blurred heatmap; ``'parabola'``, a fit to the log of three
            samples an axis, a sigma apart.
        blur_kernel_size: Size in cells of the blur before ``'dark'``, odd.
            ``None`` means the size that matches ``sigma``.
        use_udp: Map pixels as UDP does, for crops made with
            ``TopdownAffine(use_udp=True)``.
        target: Target in a sample: ``'heatmaps'``, for every head, or
            ``'keypoints'``, about 200 bytes, from which SR heads make the
            heatmaps on their device and with which stock heads fail with
            ``AttributeError: _gt_fields``.

    Raises:
        TypeError: If ``sigma`` is not a number.
        ValueError: If an argument is out of range, if ``keypoints`` hold more
            or less than one instance, if a pipeline crops to another size, or
            if the heatmaps to decode are not in shape (B, K, H, W).

    Source: Wang et al., "Lightweight Super-Resolution Head for Human Pose
    Estimation" (ACM MM 2023), section 3.
    """

    auxiliary_encode_keys = {'input_size'}
    label_mapping_table = dict(
        keypoint_labels='keypoint_labels',
        keypoint_weights='keypoint_weights',
        encoder='encoder')

    def __init__(self,
                 input_size: Tuple[int, int],
                 heatmap_size: Optional[Tuple[int, int]] = None,
                 sigma: Optional[float] = None,
                 unbiased: bool = False,
                 refine: str = 'shift',
                 blur_kernel_size: Optional[int] = None,
                 use_udp: bool = False,
                 target: str = 'heatmaps') -> None:
        input_size, heatmap_size = arguments.check_sizes(
            self, input_size, heatmap_size)
        if sigma is None:
            sigma = 8 * heatmap_size[0] / input_size[0]
        sigma = arguments.check_sigma(self, sigma)
        arguments.check_choice(self, 'refine', refine, refinement.REFINEMENTS)
        arguments.check_choice(self, 'target', target, arguments.TARGETS)
        arguments.check_choice(self, 'unbiased', unbiased, (True, False))
        arguments.check_udp(self, use_udp, heatmap_size)
        if blur_kernel_size is None:
            blur_kernel_size = arguments.matching_blur(sigma)
        arguments.check_odd(self, 'blur_kernel_size', blur_kernel_size)
        super().__init__(input_size, heatmap_size, sigma, unbiased,
                         blur_kernel_size)
        self.refine, self.use_udp, self.target = refine, use_udp, target
        # Input px for one cell. Only UDP decodes by another scale.
        self.encode_scale = self.decode_scale = self.scale_factor
        if use_udp:
            size, steps = np.float32(input_size), np.float32(heatmap_size) - 1
            self.encode_scale = (size - 1) / steps
            self.decode_scale = size / steps
        self.rounded = not (unbiased or use_udp)
        # Cells between the samples of 'parabola'.
        self.parabola_step = max(round(sigma), 1)
        # The stock codecs cut Gaussians at 3 sigma, and draw them off their
        # center if 3 sigma is not an integer. Those are not cut here.
        radius = geometry.gaussian_radius(sigma)
        self.truncated = not unbiased and radius.is_integer()
        # The kernel of cv2.GaussianBlur(..., sigma=0) for this size.
        self.blur_kernel = cv2.getGaussianKernel(blur_kernel_size,
                                                 0).ravel().tolist()

    def encode(self,
               keypoints: np.ndarray,
               keypoints_visible: Optional[np.ndarray] = None,
               input_size: Optional[Tuple[int, int]] = None) -> dict:
        """Encode keypoints (1, K, 2), in input px; see the class.

        ``keypoints_visible`` (1, K) below 0.5 means invisible, ``None`` all
        visible; a pipeline passes the size (w, h) of its crops. The arrays are
        not changed.
        """
        arguments.require(
            self,
            len(keypoints) == 1, 'expected keypoints of one instance, in '
            f'shape (1, K, 2), got {keypoints.shape}; it is a top-down codec')
        encoded = arguments.encoder_of_samples(self, input_size, 1)
        keypoints, visible = geometry.usable_keypoints(
            keypoints, keypoints_visible)
        cells = keypoints / self.encode_scale
        if self.target == 'keypoints':
            if self.rounded or self.truncated:
                cells = geometry.nearest_cell(cells)
            reaches = geometry.reaches_map(cells, self.heatmap_size,
                                           self.sigma)
            return dict(
                keypoint_labels=keypoints,
                keypoint_weights=visible * reaches,
                **encoded)
        if self.truncated:
            generate = (
                generate_udp_gaussian_heatmaps
                if self.use_udp else generate_gaussian_heatmaps)
        else:
            generate = generate_unbiased_gaussian_heatmaps
            cells = geometry.nearest_cell(cells) if self.rounded else cells
        heatmaps, weights = generate(self.heatmap_size, cells, visible,
                                     self.sigma)
        return dict(heatmaps=heatmaps, keypoint_weights=weights, **encoded)

    def make_targets(self, keypoint_labels: Tensor,
                     keypoint_weights: Tensor) -> SeparableHeatmaps:
        """Make the heatmaps of a batch on the labels' device.

        The labels (B, K, 2) and weights (B, K) are those of :meth:`encode`
        with ``target='keypoints'``; where a weight is 0 its heatmap is too.
        """
        return gaussian_heatmaps(
            keypoint_labels / keypoint_labels.new_tensor(self.encode_scale),
            keypoint_weights > 0,
            self.heatmap_size,
            self.sigma,
            rounded=self.rounded,
            truncated=self.truncated)

    def decode(self, encoded: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Decode heatmaps (K, H, W) into keypoints in input px and scores.

        Keypoints have shape (1, K, 2), scores, the heights of the peaks, shape
        (1, K). The heatmaps are not changed.
        """
        # PyTorch refuses negative strides.
        heatmaps = torch.from_numpy(np.ascontiguousarray(encoded))
        keypoints, scores = self.batch_decode(heatmaps[None])
        return keypoints[0], scores[0]

    @property
    def refine_reach(self) -> int:
        """Cells on each side of a peak that its refinement reads."""
        return dict(
            none=0,
            shift=1,
            parabola=self.parabola_step,
            dark=len(self.blur_kernel) // 2 + 2)[self.refine]

    def batch_decode(
        self, batch_encoded: Union[Tensor, Peaks]
    ) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        """Decode the keypoints of a batch on the heatmaps' device.

        Of heatmaps (B, K, H, W), or their peaks, it returns B arrays like
        those of :meth:`decode`. Only three numbers per keypoint are copied to
        the host.
        """
        keypoints, scores = self.decode_tensor(batch_encoded)
        packed = torch.cat([keypoints, scores[..., None]], dim=-1)
        packed = packed.detach()[:, None].cpu().numpy()
        return list(packed[..., :2]), list(packed[..., 2])

    def decode_tensor(
            self, heatmaps: Union[Tensor, Peaks]) -> Tuple[Tensor, Tensor]:
        """Decode a batch and leave the result on the heatmaps' device.

        Args:
            heatmaps: Heatmaps in shape (B, K, H, W), or their peaks, with
                patches that extend :attr:`refine_reach` cells from the peak.

        Returns:
            Keypoints in shape (B, K, 2), in input px, and scores in shape
            (B, K), both float32. If a heatmap has no positive value or
            contains NaN, its keypoint is (-1, -1) in heatmap cells and its
            score is at most 0.
        """
        peaks = heatmaps
        if isinstance(heatmaps, Tensor):
            if heatmaps.ndim != 4:
                raise ValueError(
                    f'{type(self).__name__}: expected heatmaps in shape '
                    f'(B, K, H, W), got {tuple(heatmaps.shape)}')
            # Copy channels-last heatmaps once, not in each step.
            peaks = Peaks.of_heatmaps(heatmaps.detach().contiguous())
        keypoints = peaks.cells
        if self.refine == 'shift':
            keypoints = refinement.refine_shift(peaks)
        elif self.refine == 'dark':
            keypoints = refinement.refine_dark(peaks, self.blur_kernel)
        elif self.refine == 'parabola':
            keypoints = refinement.refine_parabola(peaks, self.parabola_step)
        scale = keypoints.new_tensor(self.decode_scale)
        return keypoints * scale, peaks.scores
