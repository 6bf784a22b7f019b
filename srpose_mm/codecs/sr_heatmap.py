from typing import List, Optional, Tuple

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

from .utils import (
    TARGETS,
    SeparableHeatmaps,
    check_choice,
    check_odd,
    check_positive,
    check_size,
    gaussian_heatmaps,
    heatmap_argmax,
    matching_blur,
    reaches_map,
    refine_dark,
    refine_parabola,
    refine_shift,
    usable_keypoints,
)

REFINEMENTS = ('none', 'shift', 'dark', 'parabola')


@KEYPOINT_CODECS.register_module()
class SRHeatmap(MSRAHeatmap):
    """Gaussian heatmaps at up to the resolution of the input.

    With equal settings it encodes and decodes as :class:`MSRAHeatmap`, whose
    pixel mapping it shares: input px = heatmap cell * w / W. With ``use_udp``
    it encodes as :class:`UDPHeatmap`, heatmap cell = input px * (W - 1) /
    (w - 1), and decodes as that does for MMPose's estimators, which undo the
    crop by w: input px = heatmap cell * w / (W - 1). (Only where 3 sigma is
    not whole do the stock codecs draw Gaussians beside their centre; this one
    does not.) What differs is the defaults, a refinement that is chosen apart
    from the encoding, targets that can be made on the device, and decoding of
    whole batches there.

    Letters: N instances (1 in top-down mode), K keypoints, w and h the size of
    the input in px, W and H the size of the heatmap in cells, B batch.

    Encoded:

        - heatmaps (np.ndarray): (K, H, W), float32, peak value 1; or, with
          ``target='keypoints'``,
        - keypoint_labels (np.ndarray): (N, K, 2), float32, in input px, of
          which :meth:`make_targets` makes the same heatmaps
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
            a Newton step on the log of the blurred heatmap, ``'parabola'``
            fits the log of three samples an axis, a sigma apart.
        blur_kernel_size: Size in cells of the blur before ``'dark'``, odd.
            ``None`` takes the size that goes with ``sigma``.
        use_udp: Whether pixels map as in UDP, for data that is cropped by
            ``TopdownAffine(use_udp=True)``.
        target: What a sample carries to the head: ``'heatmaps'``, which every
            head understands, or ``'keypoints'``, about 200 bytes of which
            :class:`SRHead` and :class:`SRPoseHead` make the heatmaps on their
            device. Other heads then miss ``gt_fields`` in the samples.

    Raises:
        TypeError: If ``sigma`` is not a number.
        ValueError: If an argument is out of its range, at construction; if
            ``keypoints`` hold another number of instances than one or the
            heatmaps to decode have another shape than (B, K, H, W).

    Source: Wang et al., "Lightweight Super-Resolution Head for Human Pose
    Estimation" (ACM MM 2023), section 3.
    """

    label_mapping_table = dict(
        keypoint_labels='keypoint_labels', keypoint_weights='keypoint_weights')

    def __init__(self,
                 input_size: Tuple[int, int],
                 heatmap_size: Optional[Tuple[int, int]] = None,
                 sigma: Optional[float] = None,
                 unbiased: bool = False,
                 refine: str = 'shift',
                 blur_kernel_size: Optional[int] = None,
                 use_udp: bool = False,
                 target: str = 'heatmaps') -> None:
        owner = type(self).__name__
        input_size = check_size(owner, 'input_size', input_size)
        heatmap_size = check_size(owner, 'heatmap_size', heatmap_size
                                  or input_size)
        if sigma is None:
            sigma = 8 * heatmap_size[0] / input_size[0]
        sigma = check_positive(owner, 'sigma', sigma)
        self.refine = check_choice(owner, 'refine', refine, REFINEMENTS)
        self.target = check_choice(owner, 'target', target, TARGETS)
        if blur_kernel_size is None:
            blur_kernel_size = matching_blur(sigma)
        check_odd(owner, 'blur_kernel_size', blur_kernel_size)
        super().__init__(input_size, heatmap_size, sigma, unbiased,
                         blur_kernel_size)
        self.use_udp = use_udp
        self.decode_factor = self.scale_factor
        if use_udp:
            size = np.array(input_size, dtype=np.float32)
            cells = np.array(heatmap_size, dtype=np.float32) - 1
            self.scale_factor = (size - 1) / cells
            self.decode_factor = size / cells
        self.rounded = not (unbiased or use_udp)
        # Stock code draws patches that end 3 sigma from the nearest cell, and
        # draws them off their centre where 3 sigma is not whole: there the
        # Gaussian has the whole map.
        self.truncated = not unbiased and (3 * sigma).is_integer()
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
            ``heatmaps`` (K, H, W), or ``keypoint_labels`` (1, K, 2), and
            ``keypoint_weights`` (1, K).
        """
        if len(keypoints) != 1:
            raise ValueError(
                'SRHeatmap: expected keypoints of one instance, in shape '
                f'(1, K, 2), got {keypoints.shape}; it is a top-down codec')
        keypoints, visible = usable_keypoints(keypoints, keypoints_visible)
        cells = keypoints / self.scale_factor
        if self.target == 'keypoints':
            if self.rounded or self.truncated:
                cells = np.trunc(cells + 0.5)
            reaches = reaches_map(cells, self.heatmap_size, self.sigma)
            return dict(
                keypoint_labels=keypoints, keypoint_weights=visible * reaches)
        if self.truncated:
            generate = (
                generate_udp_gaussian_heatmaps
                if self.use_udp else generate_gaussian_heatmaps)
        else:
            generate = generate_unbiased_gaussian_heatmaps
            cells = np.trunc(cells + 0.5) if self.rounded else cells
        heatmaps, weights = generate(self.heatmap_size, cells, visible,
                                     self.sigma)
        return dict(heatmaps=heatmaps, keypoint_weights=weights)

    def make_targets(self, keypoint_labels: Tensor,
                     keypoint_weights: Tensor) -> SeparableHeatmaps:
        """Make the heatmaps of a batch on the labels' device.

        Args:
            keypoint_labels: What :meth:`encode` gave with
                ``target='keypoints'``, in shape (B, K, 2), in input px.
            keypoint_weights: Weights in shape (B, K).

        Returns:
            Heatmaps of size (H, W), zero where the weight is.
        """
        return gaussian_heatmaps(
            keypoint_labels / keypoint_labels.new_tensor(self.scale_factor),
            keypoint_weights > 0,
            self.heatmap_size,
            self.sigma,
            rounded=self.rounded,
            truncated=self.truncated)

    def decode(self, encoded: np.ndarray) -> Tuple[np.ndarray, np.ndarray]:
        """Decode the keypoints of one sample.

        Args:
            encoded: Heatmaps in shape (K, H, W). Not changed.

        Returns:
            Keypoints in shape (1, K, 2), in input px, and scores, the peaks'
            heights, in shape (1, K).
        """
        keypoints, scores = self.decode_tensor(torch.from_numpy(encoded)[None])
        return keypoints.numpy(), scores.numpy()

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
            (B, K), both float32. A map that has no positive value or holds
            NaN gives the keypoint of cell (-1, -1) and a score of at most 0.
        """
        if heatmaps.ndim != 4:
            raise ValueError('SRHeatmap: expected heatmaps in shape '
                             f'(B, K, H, W), got {tuple(heatmaps.shape)}')
        # One copy of what is channels last, not one in each step.
        heatmaps = heatmaps.detach().contiguous()
        keypoints, scores = heatmap_argmax(heatmaps)
        if self.refine == 'shift':
            keypoints = refine_shift(keypoints, heatmaps)
        elif self.refine == 'dark':
            keypoints = refine_dark(keypoints, heatmaps, self.blur_kernel)
        elif self.refine == 'parabola':
            step = max(round(self.sigma), 1)
            keypoints = refine_parabola(keypoints, heatmaps, step)
        return keypoints * keypoints.new_tensor(self.decode_factor), scores
