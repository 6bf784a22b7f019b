from typing import List, Tuple

import numpy as np
import torch
from mmpose.codecs import MegviiHeatmap, MSRAHeatmap, SimCCLabel, UDPHeatmap
from mmpose.codecs.base import BaseKeypointCodec

from srpose_mm.codecs import REFINEMENTS, SRHeatmap

# Codecs that decode what they encode, and nothing else beside it.
MEASURABLE = (MegviiHeatmap, MSRAHeatmap, SimCCLabel, UDPHeatmap)
# Cells of the heatmaps that are in memory at once, 4 bytes each. UDPHeatmap
# numbers them, with a border, in float32: they must be well below 2**24.
CELLS = 2**23


def stock_codecs(input_size: Tuple[int, int]) -> List[dict]:
    """MMPose's codecs with the settings that its COCO configs have."""
    grid = tuple(s // 4 for s in input_size)
    size = dict(input_size=tuple(input_size), heatmap_size=grid, sigma=2)
    return [
        dict(type='MSRAHeatmap', **size),
        dict(type='MSRAHeatmap', unbiased=True, **size),
        dict(type='UDPHeatmap', **size),
        dict(
            type='SimCCLabel',
            input_size=tuple(input_size),
            sigma=6.0,
            simcc_split_ratio=2.0)
    ]


def sr_codecs(input_size: Tuple[int, int]) -> List[dict]:
    """:class:`SRHeatmap` with each refinement, at 1/8 to 1/1 of the input."""
    return [
        dict(
            type='SRHeatmap',
            input_size=tuple(input_size),
            heatmap_size=tuple(s // cell for s in input_size),
            unbiased=unbiased,
            refine=refine) for unbiased in (False, True)
        for cell in (8, 4, 2, 1) for refine in REFINEMENTS
    ]


def describe_codec(codec: BaseKeypointCodec) -> dict:
    """What the rows of the table are told apart by.

    Args:
        codec: A codec.

    Returns:
        The ``codec``'s class, its ``grid`` (W, H), the ``cell``'s width in
        input px, how it does ``refine`` a peak, and whether it is ``rounded``,
        that is, encodes the cell nearest to a keypoint.
    """
    width, height = codec.input_size
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
        else:
            unbiased = getattr(codec, 'unbiased', False)
            refine, rounded = 'dark' if unbiased else 'shift', not unbiased
    return dict(
        codec=type(codec).__name__,
        grid=grid,
        cell=width / grid[0],
        refine=refine,
        rounded=rounded)


def round_trip(codec: BaseKeypointCodec, points: np.ndarray,
               device: torch.device) -> Tuple[np.ndarray, np.ndarray]:
    """Encode keypoints, and decode what that gave.

    Args:
        codec: A codec of one of the classes of ``MEASURABLE``; a
            :class:`SRHeatmap` has ``target='keypoints'``.
        points: Keypoints in shape (M, 2), in input px.
        device: Where :class:`SRHeatmap` draws and decodes its heatmaps.

    Returns:
        Decoded keypoints in shape (M, 2), in input px, and their scores in
        shape (M, ).
    """
    width, height = describe_codec(codec)['grid']
    number = max(CELLS // (width * height), 1)
    decoded = []
    # A codec takes any number of keypoints for one person's.
    for start in range(0, len(points), number):
        person = points[None, start:start + number]
        if isinstance(codec, SRHeatmap):
            labels = torch.from_numpy(person).to(device)
            heatmaps = codec.make_targets(labels, torch.ones_like(
                labels[..., 0])).dense()
            keypoints, scores = (part[0]
                                 for part in codec.batch_decode(heatmaps))
        else:
            names = ['heatmaps']
            if isinstance(codec, SimCCLabel):
                names = ['keypoint_x_labels', 'keypoint_y_labels']
            encoded = codec.encode(person, np.ones(person.shape[:2]))
            keypoints, scores = codec.decode(*(encoded[name]
                                               for name in names))
        decoded.append((keypoints[0], scores[0]))
    keypoints, scores = zip(*decoded)
    return np.concatenate(keypoints), np.concatenate(scores)
