"""The codecs to compare, and their encoding and decoding."""
from typing import List, Tuple

import numpy as np
import torch
from mmpose.codecs import MegviiHeatmap, MSRAHeatmap, SimCCLabel, UDPHeatmap
from mmpose.codecs.base import BaseKeypointCodec

from srpose_mm.codecs import REFINEMENTS, SRHeatmap

# Codecs that decode what they encode without further arguments.
MEASURABLE = (MegviiHeatmap, MSRAHeatmap, SimCCLabel, UDPHeatmap)
# Heatmap cells in memory, of 4 bytes. UDPHeatmap numbers the cells and their
# border in float32, so the number must be well below 2**24.
CELLS = 2**23


def compared_codecs(input_size: Tuple[int, int]) -> List[dict]:
    """Return the configs of MMPose's codecs and of :class:`SRHeatmap`.

    MMPose's codecs have the settings of its COCO configs. ``SRHeatmap`` has
    heatmaps from 1/8 to 1/1 of the input, with Gaussians on the nearest cell,
    which no refinement improves, and on the keypoint with each refinement.

    Args:
        input_size: (w, h) of the input, in px, multiples of 8.
    """
    size = dict(
        input_size=tuple(input_size),
        heatmap_size=tuple(s // 4 for s in input_size),
        sigma=2)
    stock = [
        dict(type='MSRAHeatmap', **size),
        dict(type='MSRAHeatmap', unbiased=True, **size),
        dict(type='UDPHeatmap', **size),
        dict(type='SimCCLabel', input_size=tuple(input_size), sigma=6.0,
             simcc_split_ratio=2.0)
    ]
    ours = [
        dict(
            type='SRHeatmap',
            input_size=tuple(input_size),
            heatmap_size=tuple(s // cell for s in input_size),
            target='keypoints',
            unbiased=refine != 'none',
            refine=refine)
        for refine in REFINEMENTS for cell in (8, 4, 2, 1)
    ]
    return stock + ours


def describe_codec(codec: BaseKeypointCodec) -> dict:
    """Describe a codec by what tells the rows of the table apart.

    Returns:
        The class as ``codec``, the heatmap size (W, H) as ``grid``, the width
        of a ``cell`` in input px, the refinement of a peak as ``refine``, and
        whether the Gaussian is ``rounded`` to the nearest cell.
    """
    width, height = codec.input_size
    unbiased = getattr(codec, 'unbiased', False)
    refine, rounded = 'dark' if unbiased else 'shift', not unbiased
    if isinstance(codec, SimCCLabel):
        ratio = codec.simcc_split_ratio
        grid = (round(width * ratio), round(height * ratio))
        refine, rounded = 'dark' if codec.use_dark else 'none', True
    else:
        grid = tuple(int(s) for s in codec.heatmap_size)
        if isinstance(codec, SRHeatmap):
            refine, rounded = codec.refine, codec.rounded
        elif isinstance(codec, UDPHeatmap):
            combined = codec.heatmap_type == 'combined'
            refine, rounded = 'offset' if combined else 'dark', False
    return dict(codec=type(codec).__name__, grid=grid, cell=width / grid[0],
                refine=refine, rounded=rounded)


def encode_and_decode(codec: BaseKeypointCodec, keypoints: np.ndarray,
                      device: torch.device) -> Tuple[np.ndarray, np.ndarray]:
    """Encode keypoints and decode the result.

    Args:
        codec: An instance of one of ``MEASURABLE``. An ``SRHeatmap`` has
            ``target='keypoints'``.
        keypoints: Keypoints in shape (M, 2), in input px.
        device: Device of the heatmaps of an ``SRHeatmap``.

    Returns:
        Decoded keypoints in shape (M, 2), in input px, and their scores in
        shape (M, ).
    """
    width, height = describe_codec(codec)['grid']
    number = max(CELLS // (width * height), 1)
    decoded = []
    # To a codec, M keypoints are one instance with M keypoints.
    for start in range(0, len(keypoints), number):
        instance = keypoints[None, start:start + number]
        visible = np.ones(instance.shape[:2], dtype=np.float32)
        if isinstance(codec, SRHeatmap):
            labels = torch.from_numpy(instance).to(device)
            targets = codec.make_targets(labels,
                                         torch.from_numpy(visible).to(device))
            part = codec.batch_decode(targets.dense())
            part = part[0][0], part[1][0]
        else:
            encoded = codec.encode(instance, visible)
            part = codec.decode(*(value for key, value in encoded.items()
                                  if 'weights' not in key))
        decoded.append([part[0].reshape(-1, 2), part[1].reshape(-1)])
    return tuple(np.concatenate(parts) for parts in zip(*decoded))
