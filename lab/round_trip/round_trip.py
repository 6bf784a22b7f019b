"""Encode and decode keypoints with each codec, and measure the loss."""
import sys
from contextlib import redirect_stdout
from typing import Dict, List, Optional, Tuple

import numpy as np
import torch
from mmengine.registry import init_default_scope
from mmpose.codecs import UDPHeatmap
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS

from srpose_mm.configs import type_name
from srpose_mm.console import progress

from .codecs import (
    MEASURABLE,
    compared_codecs,
    describe_codec,
    encode_and_decode,
)
from .crops import Crops, crop
from .sources import Source


def measure_round_trip(source: Source, device: Optional[str] = None) -> Dict:
    """Measure what codecs lose between encoding and decoding.

    Keypoints pass the crop of a test pipeline, ``encode`` and ``decode`` of a
    codec, and MMPose's way back into the image. The rest is the error of a
    perfect network. A keypoint counts if it is labelled and in the crop. If
    the source has an evaluator, it scores each codec and the annotations.

    Args:
        source: The keypoints.
        device: Device of the heatmaps of :class:`SRHeatmap`. ``None`` means a
            GPU, if the machine has one.

    Returns:
        ``name`` and ``input_size`` of the source, the numbers of
        ``instances``, of counted ``points`` and of labelled points
        ``outside`` the crops, whether ``head_sizes`` were computed from
        keypoints, and ``rows``. A row has a ``name``, the content of
        :func:`describe_codec`, the ``mean``, ``median``, ``p95`` and ``max``
        error in input px, the mean error in cells as ``mean_cells`` and in
        image px as ``mean_image``, and perhaps ``metrics``.

    Raises:
        ValueError: If no keypoint counts or the input size is no multiple of
            8.
    """
    init_default_scope('mmpose')
    codecs = _codecs(source)
    crops = {udp: crop(source, udp) for udp in (False, True)}
    plain = crops[False]
    if not plain.counted.any():
        raise ValueError(f'expected labelled keypoints in the boxes of '
                         f'{source.name}, got none')
    device = torch.device(
        device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    rows = []
    if source.evaluator:
        metrics = _score(source, plain, plain.keypoints[plain.counted], 1)
        rows.append(
            dict(name='annotations', metrics=metrics, **_statistics(
                np.zeros(1), np.zeros(1), 1)))
    for name, codec in progress(codecs, source.name):
        udp = isinstance(codec, UDPHeatmap) or getattr(codec, 'use_udp', False)
        rows.append(
            dict(name=name, **_measure(source, crops[udp], codec, device)))
    return dict(
        name=source.name,
        input_size=source.input_size,
        instances=len(plain.samples),
        points=int(plain.counted.sum()),
        outside=int((plain.labelled & ~plain.inside).sum()),
        head_sizes=plain.head_sizes,
        rows=rows)


def _codecs(source: Source) -> List[Tuple[str, BaseKeypointCodec]]:
    """Return the names and instances of the codecs to compare."""
    if any(size % 8 for size in source.input_size):
        raise ValueError('expected an input size of multiples of 8, got '
                         f'{source.input_size}')
    codecs = [(codec['type'], KEYPOINT_CODECS.build(codec))
              for codec in compared_codecs(source.input_size)]
    if isinstance(source.codec, dict):
        kind, own = type_name(source.codec), dict(source.codec)
        if kind == 'SRHeatmap':
            own['target'] = 'keypoints'
        own = KEYPOINT_CODECS.build(own)
        if isinstance(own, MEASURABLE):
            codecs.append((f'{kind} of the config', own))
    return codecs


def _measure(source: Source, crops: Crops, codec: BaseKeypointCodec,
             device: torch.device) -> dict:
    facts, counted = describe_codec(codec), crops.counted
    decoded, scores = encode_and_decode(codec, crops.inputs[counted], device)
    decoded = crops.into_image(decoded)
    in_image = np.linalg.norm(decoded - crops.keypoints[counted], axis=-1)
    # A crop has the aspect ratio of the input.
    scales = crops.scales[np.nonzero(counted)[0], 0, 0]
    errors = in_image * source.input_size[0] / scales
    row = dict(**facts, **_statistics(errors, in_image, facts['cell']))
    if source.evaluator:
        row['metrics'] = _score(source, crops, decoded, scores)
    return row


def _statistics(errors: np.ndarray, in_image: np.ndarray,
                cell: float) -> Dict[str, float]:
    return dict(
        mean=float(errors.mean()),
        median=float(np.median(errors)),
        p95=float(np.percentile(errors, 95)),
        max=float(errors.max()),
        mean_cells=float(errors.mean() / cell),
        mean_image=float(in_image.mean()))


def _score(source: Source, crops: Crops, keypoints: np.ndarray,
           scores: np.ndarray) -> Dict[str, float]:
    # The evaluators print, and results go to standard output.
    with redirect_stdout(sys.stderr):
        source.evaluator.process(crops.predict(keypoints, scores))
        metrics = source.evaluator.evaluate(len(crops.samples))
    return {key: float(value) for key, value in metrics.items()}
