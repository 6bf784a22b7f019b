"""The model as MMPose runs it, which exported files are compared with."""
from typing import Any, Dict, NamedTuple, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmpose.models.heads import AssociativeEmbeddingHead
from torch import Tensor, nn

from ..codecs import SRHeatmap

# What a file may change: heatmaps and scores, as a part of the highest value,
# and keypoints, in px.
TOLERANCE = 1e-4
PIXELS = 1e-2
DRAWS = 4


class Expected(NamedTuple):
    """What a file should give for some inputs.

    Attributes:
        inputs: Images in shape (B, 3, h, w).
        outputs: Name to tensor, as :class:`DeployedModel` gives them.
        steady: Which keypoints stay where they are, to 0.01 px, when noise of
            1e-4 of its highest value comes upon each heatmap, in shape
            (B, K). ``None`` without keypoints.
    """
    inputs: Tensor
    outputs: Dict[str, Tensor]
    steady: Optional[Tensor]


class Reference:
    """Run a model in the way of MMPose: not fused, nothing traced.

    Args:
        model: A model of MMPose.
        input_size: (w, h) of the images, in px; ``None`` takes the codec's.
        decode: Whether keypoints are wanted; ``None`` means where the codec
            is an :class:`SRHeatmap` for this input size.
        normalize: Whether images are given as they are read.
        owner: What messages of errors start with.

    Raises:
        ValueError: If there is no input size, or keypoints are wanted that
            the codec cannot decode.
    """

    def __init__(self, model: nn.Module, input_size: Optional[Tuple[int, int]],
                 decode: Optional[bool], normalize: bool, owner: str):
        self.model = model
        self.normalize = normalize
        self.owner = owner
        codec = getattr(model.head, 'decoder', None)
        codec_size = getattr(codec, 'input_size', None)
        self.input_size = self._check_size(input_size or codec_size)
        able = (isinstance(codec, SRHeatmap)
                and tuple(codec_size) == self.input_size)
        if decode and not able:
            width, height = self.input_size
            raise ValueError(
                f'{owner}: expected an SRHeatmap for inputs of '
                f'{width}x{height} to decode with, got '
                f'{type(codec).__name__} for {codec_size}; export without '
                'decode')
        self.decode = able if decode is None else decode

    def _check_size(self, size: Any) -> Tuple[int, int]:
        if size is None:
            raise ValueError(f'{self.owner}: expected the head to have a '
                             'codec with an input_size, got none; give '
                             'input_size')
        if len(size) != 2 or min(size) < 1:
            raise ValueError(f'{self.owner}: expected input_size to be a '
                             f'positive (width, height), got {tuple(size)}')
        return tuple(size)

    @torch.no_grad()
    def expect(self, batch: int) -> Expected:
        """Draw images, the same each time, and run the model on them.

        Args:
            batch: Number of images, B.

        Raises:
            ValueError: If the model predicts something else than heatmaps,
                or values that are not finite.
        """
        generator = torch.Generator().manual_seed(batch)
        width, height = self.input_size
        shape = batch, 3, height, width
        if self.normalize:
            inputs = 255 * torch.rand(shape, generator=generator)
            images = self.model.data_preprocessor(
                dict(inputs=list(inputs), data_samples=[]))['inputs']
        else:
            inputs = images = torch.randn(shape, generator=generator)
        outputs = self._named(self.model(images, None))
        if not self.decode:
            return Expected(inputs, outputs, None)
        heatmaps = outputs['heatmaps']
        keypoints, scores = self._decode(heatmaps)
        steady = self._steady(heatmaps, keypoints, generator)
        return Expected(inputs, dict(keypoints=keypoints, scores=scores),
                        steady)

    def _named(self, outputs: Any) -> Dict[str, Tensor]:
        """The outputs of the head by name."""
        names = ['heatmaps']
        if isinstance(self.model.head, AssociativeEmbeddingHead):
            names.append('tags')
        maps = [outputs] if isinstance(outputs, Tensor) else list(outputs)
        if len(maps) != len(names) or any(
                not isinstance(m, Tensor) or m.ndim != 4 for m in maps):
            raise ValueError(
                f'{self.owner}: expected a head that predicts heatmaps in '
                f'shape (B, K, H, W), got {type(self.model.head).__name__}; '
                'choose a model with such a head')
        if not all(m.isfinite().all() for m in maps):
            raise ValueError(
                f'{self.owner}: expected finite heatmaps of random images, '
                'got infinite ones or NaN; look at the weights')
        return dict(zip(names, maps))

    def _steady(self, heatmaps: Tensor, keypoints: Tensor,
                generator: torch.Generator) -> Tensor:
        """Which keypoints (B, K) stay where they are under noise."""
        size = heatmaps.shape[-2:]
        # Some of it is smooth: a blur before the decoding keeps that.
        coarse = *heatmaps.shape[:2], size[0] // 8 + 1, size[1] // 8 + 1
        scale = TOLERANCE * heatmaps.abs().amax(dim=(-2, -1), keepdim=True)
        steady = torch.ones(keypoints.shape[:2], dtype=torch.bool)
        for _ in range(DRAWS):
            noise = torch.randn(heatmaps.shape, generator=generator)
            smooth = torch.randn(coarse, generator=generator)
            noise += F.interpolate(smooth, size=size, mode='bilinear')
            moved = self._decode(heatmaps + scale * noise)[0] - keypoints
            steady &= moved.abs().amax(dim=-1) < PIXELS
        return steady

    def _decode(self, heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
        """Keypoints (B, K, 2) and scores (B, K) as MMPose decodes them."""
        people = self.model.head.decode(heatmaps)
        keypoints = np.concatenate([person.keypoints for person in people])
        scores = np.concatenate([p.keypoint_scores for p in people])
        return torch.from_numpy(keypoints), torch.from_numpy(scores)
