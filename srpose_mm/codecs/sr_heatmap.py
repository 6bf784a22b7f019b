from typing import List, Optional, Tuple

import cv2
import numpy as np
import torch
from mmpose.codecs import MSRAHeatmap
from mmpose.codecs.utils import (
    generate_unbiased_gaussian_heatmaps,
    get_heatmap_maximum,
    refine_keypoints,
    refine_keypoints_dark,
)
from mmpose.registry import KEYPOINT_CODECS
from torch import Tensor

from .utils import heatmap_argmax, refine_dark, refine_shift, usable_keypoints

REFINEMENTS = ('none', 'shift', 'dark')


@KEYPOINT_CODECS.register_module()
class SRHeatmap(MSRAHeatmap):
    """Gaussian heatmaps at up to the resolution of the input.

    With equal settings it encodes and decodes as :class:`MSRAHeatmap`, whose
    pixel mapping it shares: input px = heatmap cell * w / W. (Only where
    3 sigma is not whole does the stock codec draw biased Gaussians beside
    their cell; this one does not.) What differs is the defaults, a refinement
    that is chosen apart from the encoding, and decoding of whole batches on
    their device.

    Letters: N instances (1 in top-down mode), K keypoints, w and h the size of
    the input in px, W and H the size of the heatmap in cells, B batch.

    Encoded:

        - heatmaps (np.ndarray): (K, H, W), float32, peak value 1
        - keypoint_weights (np.ndarray): (N, K), float32; 0 where a keypoint
          is invisible, not finite, or so far outside the input that nothing
          of its Gaussian (3 sigma) reaches the heatmap

    Args:
        input_size: (w, h) of the network input, in px.
        heatmap_size: (W, H) of the heatmap, in cells. ``None`` means
            ``input_size``.
        sigma: Standard deviation of the Gaussian in heatmap cells. ``None``
            keeps the usual 2 cells of a quarter-size map, that is
            ``8 * W / w``: 8 at full size.
        unbiased: Whether the Gaussian is centred on the keypoint itself and
            not on the cell nearest to it.
        refine: How a peak is refined: ``'none'`` takes the cell, ``'shift'``
            moves a quarter cell towards the higher neighbour, ``'dark'`` does
            a Newton step on the log of the blurred heatmap.
        blur_kernel_size: Size in cells of the blur before ``'dark'``, odd.
            ``None`` takes the size that goes with ``sigma``.

    Raises:
        ValueError: If an argument is out of its range, at construction; if
            ``keypoints`` hold another number of instances than one or the
            heatmaps to decode have another shape than (B, K, H, W).

    Source: Wang et al., "Lightweight Super-Resolution Head for Human Pose
    Estimation" (ACM MM 2023), section 3.
    """

    def __init__(self,
                 input_size: Tuple[int, int],
                 heatmap_size: Optional[Tuple[int, int]] = None,
                 sigma: Optional[float] = None,
                 unbiased: bool = False,
                 refine: str = 'shift',
                 blur_kernel_size: Optional[int] = None) -> None:
        input_size = _check_size('input_size', input_size)
        if heatmap_size is None:
            heatmap_size = input_size
        heatmap_size = _check_size('heatmap_size', heatmap_size)
        if sigma is None:
            sigma = 8 * heatmap_size[0] / input_size[0]
        sigma = _check_number('sigma', sigma)
        if sigma <= 0:
            raise ValueError(
                f'SRHeatmap: expected a positive sigma, got {sigma}; it is in '
                'heatmap cells, leave it out for the default')
        if refine not in REFINEMENTS:
            raise ValueError(f'SRHeatmap: expected refine to be one of '
                             f'{REFINEMENTS}, got {refine!r}')
        if blur_kernel_size is None:
            blur_kernel_size = _matching_blur(sigma)
        if blur_kernel_size < 1 or blur_kernel_size % 2 == 0:
            raise ValueError(
                'SRHeatmap: expected an odd, positive blur_kernel_size, got '
                f'{blur_kernel_size}')
        super().__init__(input_size, heatmap_size, sigma, unbiased,
                         blur_kernel_size)
        self.refine = refine
        # The kernel that cv2.GaussianBlur(..., sigma=0) uses for this size.
        self.blur_kernel = cv2.getGaussianKernel(blur_kernel_size,
                                                 0).ravel().tolist()

    def encode(self,
               keypoints: np.ndarray,
               keypoints_visible: Optional[np.ndarray] = None) -> dict:
        """Encode keypoints into heatmaps.

        Args:
            keypoints: Coordinates in shape (1, K, 2), in input px. Not
                changed.
            keypoints_visible: Visibility in shape (1, K); below 0.5 counts as
                invisible. ``None`` means all visible. Not changed.

        Returns:
            ``heatmaps`` (K, H, W) and ``keypoint_weights`` (1, K).
        """
        if len(keypoints) != 1:
            raise ValueError(
                'SRHeatmap: expected keypoints of one instance, in shape '
                f'(1, K, 2), got {keypoints.shape}; it is a top-down codec')
        keypoints, visible = usable_keypoints(keypoints, keypoints_visible)
        if self.unbiased or (3 * self.sigma).is_integer():
            return super().encode(keypoints, visible)
        # Stock code draws these patches off their cell where 3 sigma is not
        # whole; a Gaussian that is centred on the cell is what it means.
        cells = np.floor(keypoints / self.scale_factor + 0.5)
        heatmaps, weights = generate_unbiased_gaussian_heatmaps(
            self.heatmap_size, cells, visible, self.sigma)
        return dict(heatmaps=heatmaps, keypoint_weights=weights)

    def decode(self, encoded: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Decode the keypoints of one sample.

        Args:
            encoded: Heatmaps in shape (K, H, W). Not changed.

        Returns:
            Keypoints in shape (1, K, 2), in input px, and scores, the peaks'
            heights, in shape (1, K).
        """
        heatmaps = encoded.copy()
        keypoints, scores = get_heatmap_maximum(heatmaps)
        keypoints, scores = keypoints[None], scores[None]
        if self.refine == 'shift':
            keypoints = refine_keypoints(keypoints, heatmaps)
        elif self.refine == 'dark':
            keypoints = refine_keypoints_dark(keypoints, heatmaps,
                                              self.blur_kernel_size)
        return keypoints * self.scale_factor, scores

    def batch_decode(
            self, batch_encoded: Tensor
    ) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        """Decode the keypoints of a batch on the heatmaps' device.

        Three numbers a keypoint leave the device; the maps stay there.

        Args:
            batch_encoded: Heatmaps in shape (B, K, H, W).

        Returns:
            B arrays of keypoints in shape (1, K, 2), in input px, and B
            arrays of scores in shape (1, K).
        """
        keypoints, scores = self.decode_tensor(batch_encoded)
        packed = torch.cat([keypoints, scores[..., None]], dim=-1)
        packed = packed[:, None].cpu().numpy()
        return list(packed[..., :2]), list(packed[..., 2])

    def decode_tensor(self, heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
        """Decode without leaving the device.

        Args:
            heatmaps: Heatmaps in shape (B, K, H, W).

        Returns:
            Keypoints in shape (B, K, 2), in input px, and scores in shape
            (B, K), both float32.
        """
        if heatmaps.ndim != 4:
            raise ValueError('SRHeatmap: expected heatmaps in shape '
                             f'(B, K, H, W), got {tuple(heatmaps.shape)}')
        heatmaps = heatmaps.detach()
        keypoints, scores = heatmap_argmax(heatmaps)
        if self.refine == 'shift':
            keypoints = refine_shift(keypoints, heatmaps)
        elif self.refine == 'dark':
            keypoints = refine_dark(keypoints, heatmaps, self.blur_kernel)
        return keypoints * keypoints.new_tensor(self.scale_factor), scores


def _check_size(name: str, size: Tuple[int, int]) -> Tuple[int, int]:
    """Check that ``size`` is two positive whole numbers, (w, h)."""
    if not (isinstance(size, (tuple, list)) and len(size) == 2
            and all(isinstance(s, (int, np.integer)) and s > 0 for s in size)):
        raise ValueError(f'SRHeatmap: expected {name} to be (width, height) '
                         f'in whole cells, got {size}')
    return tuple(int(s) for s in size)


def _check_number(name: str, value: float) -> float:
    """Check that ``value`` is a number, and make it a plain float."""
    if isinstance(value, str) or not np.isscalar(value):
        raise TypeError(
            f'SRHeatmap: expected {name} to be a number, got {value!r}')
    return float(value)


def _matching_blur(sigma: float) -> int:
    """Blur size of DARK for targets of ``sigma``: 11 for 2, 51 for 8.

    It solves sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8, OpenCV's rule.
    """
    radius = round((sigma - 0.8) / 0.3 + 1)
    return 2 * max(radius, 1) + 1
