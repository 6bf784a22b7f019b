from pathlib import Path
from typing import Dict, List, Optional, Tuple, Union

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from rich.console import Console
from rich.progress import track

from srpose_mm.configs import ConfigLike, load_config, type_name
from srpose_mm.swap.codec_and_data import crops_by_udp

from .quantization_codecs import (
    MEASURABLE,
    describe_codec,
    round_trip,
    sr_codecs,
    stock_codecs,
)
from .quantization_people import (
    MARGIN,
    Points,
    annotated_people,
    crop_people,
    random_people,
)

Size = Tuple[int, int]
# Size of a crop in boxes, in MMPose's pipelines.
PADDING = 1.25


def quantization(ann_file: Optional[Union[str, Path]] = None,
                 random: Optional[int] = None,
                 config: Optional[ConfigLike] = None,
                 input_size: Optional[Size] = None,
                 seed: int = 0,
                 device: Optional[str] = None) -> Dict:
    """Measure what codecs lose between encoding and decoding.

    Keypoints go through the crop of MMPose's test pipelines, a codec's
    ``encode`` and ``decode``, and back into the image as its estimators bring
    them there: an error is what a perfect network would be left with. Rows are
    MMPose's codecs, :class:`SRHeatmap` at 1/8 to 1/1 of the input with each
    refinement, and the codec of ``config``. A keypoint counts if it is
    labelled and lies in the crop.

    Args:
        ann_file: Annotations in COCO's format, whose people are cropped; no
            image is read.
        random: Number of points to take instead, uniform in the input 32 px
            from its border.
        config: A config, or what :func:`locate_config` finds, whose codec gets
            a row of its own.
        input_size: (w, h) of the input, in px, multiples of 8. ``None`` takes
            that of the config's codec, or (192, 256).
        seed: Seed of the random points.
        device: Where the heatmaps of :class:`SRHeatmap` are; ``None`` takes a
            GPU where there is one.

    Returns:
        ``source``, ``input_size``, the number of ``people`` and ``points``,
        of labelled points ``outside`` the crops, and ``rows``: for each its
        ``name``, what :func:`describe_codec` says, and the ``mean``,
        ``median``, ``p95`` and ``max`` distance in input px, the mean in
        cells as ``mean_cells`` and in image px as ``mean_image``.

    Raises:
        FileNotFoundError: If there is no such annotation or config file.
        ValueError: If there is not one of ``ann_file`` and ``random``, no
            keypoint to measure, or a codec or size that cannot be measured.
    """
    if (ann_file is None) == (random is None):
        raise ValueError('quantization: expected one of ann_file and random, '
                         f'got {ann_file!r} and {random!r}')
    init_default_scope('mmpose')
    rows = _config_row(config) if config is not None else []
    input_size = _check_size(input_size, [codec for _, codec, _ in rows])
    codecs = stock_codecs(input_size) + sr_codecs(input_size)
    rows = [(_name(codec), KEYPOINT_CODECS.build(_for_device(codec)),
             codec['type'] == 'UDPHeatmap') for codec in codecs] + rows
    if ann_file is None:
        people = random_people(random, input_size, seed)
        source = f'uniform, {MARGIN} px from the border'
    else:
        people, source = annotated_people(ann_file), Path(ann_file).name
    padding = 1.0 if ann_file is None else PADDING
    points = {
        udp: crop_people(people, input_size, padding, udp)
        for udp in (False, True)
    }
    number = len(points[False].keypoints)
    if not number:
        raise ValueError('quantization: expected labelled keypoints within '
                         f'the boxes of {source}, got none')
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    progress = track(rows, 'measuring', console=Console(stderr=True))
    return dict(
        source=source,
        input_size=input_size,
        people=len(people),
        points=number,
        outside=points[False].outside,
        rows=[
            dict(name=name, **_measure(codec, points[udp], device))
            for name, codec, udp in progress
        ])


def _measure(codec: BaseKeypointCodec, points: Points, device: str) -> dict:
    facts = describe_codec(codec)
    decoded, _ = round_trip(codec, points.inputs, torch.device(device))
    errors, in_image = points.errors(decoded)
    return dict(
        **facts,
        mean=float(errors.mean()),
        median=float(np.median(errors)),
        p95=float(np.percentile(errors, 95)),
        max=float(errors.max()),
        mean_cells=float(errors.mean() / facts['cell']),
        mean_image=float(in_image.mean()))


def _config_row(config: ConfigLike) -> List[tuple]:
    """Name, codec and pixel mapping of a config's model."""
    cfg = load_config(config)
    head = cfg.model.get('head') or {}
    codec_cfg = head.get('decoder') or cfg.get('codec')
    if not isinstance(codec_cfg, dict):
        raise ValueError('quantization: expected the config\'s head to have '
                         f'one decoder, got {codec_cfg!r}')
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    codec = KEYPOINT_CODECS.build(_for_device(codec_cfg))
    if not isinstance(codec, MEASURABLE):
        raise ValueError(
            'quantization: expected a top-down codec that decodes heatmaps or '
            'SimCC labels, one of '
            f'{", ".join(kind.__name__ for kind in MEASURABLE)}, got '
            f'{type(codec).__name__}')
    name = Path(cfg.filename or 'config').stem
    return [(name, codec, crops_by_udp(cfg))]


def _for_device(codec: dict) -> dict:
    """A codec whose heatmaps can be drawn on a device, and are the same."""
    if type_name(codec) == 'SRHeatmap':
        return dict(codec, target='keypoints')
    return dict(codec)


def _name(codec: dict) -> str:
    unbiased = ' unbiased' if codec.get('unbiased') else ''
    return f'{codec["type"]}{unbiased}'


def _check_size(input_size: Optional[Size],
                codecs: List[BaseKeypointCodec]) -> Size:
    """The size that all rows share."""
    wanted = tuple(codecs[0].input_size) if codecs else (192, 256)
    size = wanted if input_size is None else tuple(input_size)
    if len(size) != 2 or min(size) < 8 or any(s % 8 for s in size):
        raise ValueError('quantization: expected input_size to be two '
                         f'multiples of 8, (width, height), got {size}')
    if codecs and size != wanted:
        raise ValueError(
            f'quantization: expected input_size to be {wanted}, that of the '
            f'config\'s codec, got {size}; leave it out')
    return size
