import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np
import torch
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmpose.codecs.base import BaseKeypointCodec
from mmpose.registry import KEYPOINT_CODECS
from rich.console import Console
from rich.progress import track

from srpose_mm.configs import ConfigLike, load_config, type_name

from .oracle_people import People, crop_dataset, load_dataset
from .quantization_codecs import (
    describe_codec,
    round_trip,
    sr_codecs,
    stock_codecs,
)


def oracle(config: ConfigLike,
           cfg_options: Optional[Dict[str, Any]] = None,
           device: Optional[str] = None) -> Dict:
    """Score what a perfect network would reach with each codec.

    The annotations that a config validates on go through the crop of its
    pipeline, a codec's ``encode`` and ``decode``, back into the image, and
    into its evaluators. Boxes are the annotated ones, each once, so that
    :class:`CocoMetric` has nothing to suppress; no image is read. A keypoint
    that is not labelled or lies outside its crop is predicted at the nearest
    place inside, with a score of 0.

    Rows are the annotations within their crops, without a codec; MMPose's
    codecs; and :class:`SRHeatmap` at 1/8 to 1/1 of the input: with Gaussians
    on the nearest cell, of which a refinement finds no more, and with
    Gaussians on the keypoint and each refinement.

    Args:
        config: A top-down config, or what :func:`locate_config` finds. Its
            ``val_dataloader`` and ``val_evaluator`` count.
        cfg_options: For the config.
        device: Where the heatmaps of :class:`SRHeatmap` are; ``None`` takes a
            GPU where there is one.

    Returns:
        ``name`` of the config, ``input_size``, the number of ``people`` and of
        ``points`` that are labelled and in a crop, of labelled ones
        ``outside``, whether ``head_sizes`` had to be taken from the
        keypoints, and ``rows``: for each its ``name``, what
        :func:`describe_codec` says, ``metrics`` as the evaluators name them,
        and the ``mean`` and ``max`` distance of points in input px, the mean
        in image px as ``mean_image``.

    Raises:
        FileNotFoundError: If there is no such config or data set.
        ValueError: If the config is not a top-down one with a data set and
            evaluators.
    """
    cfg = load_config(config)
    if cfg_options:
        cfg.merge_from_dict(cfg_options)
    # Readers of annotations print, and results go to the standard output.
    with redirect_stdout(sys.stderr):
        return _oracle(cfg, device)


def _oracle(cfg: Config, device: Optional[str]) -> Dict:
    dataset = load_dataset(cfg)
    crops = {udp: crop_dataset(cfg, dataset, udp) for udp in (False, True)}
    people = crops[False]
    evaluator = Evaluator(_metrics(cfg))
    evaluator.dataset_meta = dataset.metainfo
    rows = [dict(name='annotations', **_measure(people, evaluator))]
    place = torch.device(
        device or ('cuda' if torch.cuda.is_available() else 'cpu'))
    codecs = track(
        oracle_codecs(people.input_size),
        _name(cfg),
        console=Console(stderr=True))
    for codec_cfg in codecs:
        codec = KEYPOINT_CODECS.build(codec_cfg)
        udp = codec_cfg['type'] == 'UDPHeatmap'
        rows.append(
            dict(
                name=codec_cfg['type'],
                **describe_codec(codec),
                **_measure(crops[udp], evaluator, codec, place)))
    return dict(
        name=_name(cfg),
        input_size=people.input_size,
        people=len(people.samples),
        points=int(people.counted.sum()),
        outside=int((people.labelled & ~people.inside).sum()),
        head_sizes=people.head_sizes,
        rows=rows)


def oracle_codecs(input_size) -> List[dict]:
    """MMPose's codecs, and ours without those that give the same."""
    return stock_codecs(input_size) + [
        dict(codec, target='keypoints') for codec in sr_codecs(input_size)
        if codec['unbiased'] == (codec['refine'] != 'none')
    ]


def _metrics(cfg: Config) -> List[dict]:
    """The config's metrics, without a suppression of people."""
    metrics = cfg.val_evaluator
    metrics = metrics if isinstance(metrics, list) else [metrics]
    # It compares keypoints that are not labelled, too.
    return [
        dict(metric, nms_mode='none')
        if type_name(metric) == 'CocoMetric' else metric for metric in metrics
    ]


def _measure(people: People,
             evaluator: Evaluator,
             codec: Optional[BaseKeypointCodec] = None,
             device: Optional[torch.device] = None) -> Dict:
    """Metrics and errors of a codec; of the annotations without one."""
    if codec is None:
        samples = people.predicted_exactly()
        errors = images = np.zeros(1)
    else:
        decoded, scores = round_trip(
            codec, people.inputs[people.counted], device)
        errors, images = people.errors(decoded)
        samples = people.predicted(decoded, scores)
    evaluator.process(samples)
    metrics = evaluator.evaluate(len(samples))
    return dict(
        metrics={key: float(value) for key, value in metrics.items()},
        mean=float(errors.mean()),
        max=float(errors.max()),
        mean_image=float(images.mean()))


def _name(cfg: Config) -> str:
    return Path(cfg.filename or 'config').stem
