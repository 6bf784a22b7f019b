"""Scores of predictions that equal the annotations."""
import io
import math
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from typing import Iterator, Optional

import numpy as np
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS, METRICS, TRANSFORMS

from ..configs import type_name
from .report import STOPS, WRONG, DatasetReport
from .sources import DataSource

# Scores of perfect predictions.
PERFECT = dict(
    CocoMetric=dict(AP=1), CocoWholeBodyMetric=dict(AP=1),
    PCKAccuracy=dict(PCK=1, PCKh=1, tPCK=1),
    MpiiPCKAccuracy=dict(PCK=100),
    EPE=dict(EPE=0), NME=dict(NME=0))
# COCO scores at most 20 predictions in an image.
MAX_PREDICTIONS = 20


def check_evaluation(source: DataSource, report: DatasetReport) -> None:
    """Let the metrics score predictions that equal the annotations.

    A dataset with a fault that stops MMPose is not scored.
    """
    if any(fault.effect == STOPS for fault in report.faults):
        return
    for metric in source.metrics:
        name, file = type_name(metric), metric.get('ann_file')
        if name not in PERFECT or metric.get('format_only'):
            continue
        if file and file != source.dataset.ann_file:
            name += f' with ann_file {file}'
        try:
            with _quiet():
                for message in _imperfect_scores(metric, source):
                    report.add('evaluation', WRONG, f'{name}: {message}')
        # Metrics assert what they need, or fail in other ways.
        except Exception as err:
            report.add('evaluation', STOPS,
                       f'{name}: {type(err).__name__}: {err}')


def _imperfect_scores(metric: dict, source: DataSource) -> Iterator[str]:
    """Yield descriptions of scores that are not perfect."""
    name = type_name(metric)
    dataset = DATASETS.build(dict(
        source.config, bbox_file=None, lazy_init=False, serialize_data=False))
    converter, metainfo = source.step('KeypointConverter'), source.metainfo
    if 'Coco' in name:
        # NMS may drop one of two close instances. Predictions have the
        # format that the converters of the metric expect of the annotations.
        if metric.get('gt_converter') or metric.get('pred_converter'):
            converter, metainfo = None, dataset.metainfo
        metric = dict(metric, nms_mode='none', outfile_prefix=None,
                      pred_converter=metric.get('gt_converter'))
    # MpiiPCKAccuracy adds 1 px to predictions.
    offset = 1 if name == 'MpiiPCKAccuracy' else 0
    samples = list(_perfect_samples(source, dataset, converter, offset))
    built = METRICS.build(metric)
    built.dataset_meta = dict(
        metainfo, CLASSES=dataset.metainfo.get('CLASSES'))
    built.process([], samples)
    numbers = Counter()
    for sample in samples:
        numbers[sample['img_id']] += len(sample['pred_instances']['keypoints'])
    recall = sum(min(number, MAX_PREDICTIONS) for number in numbers.values()
                 ) / sum(numbers.values())
    # Unlike ``evaluate``, this does not wait for other processes.
    for key, value in built.compute_metrics(built.results).items():
        perfect = PERFECT[name].get(key)
        if key == 'AP':  # the mean precision at 101 recalls
            perfect = (math.floor(100 * recall + 1e-6) + 1) / 101
        # A comparison with NaN is false.
        if perfect is not None and not abs(value - perfect) < 1e-3:
            yield f'{key} is {value:.3f} instead of {perfect:.3g}'


def _perfect_samples(source: DataSource, dataset: BaseCocoStyleDataset,
                     converter: Optional[dict],
                     offset: int) -> Iterator[dict]:
    """Yield samples that predict their annotations, less an offset in px."""
    pack = source.step('PackPoseInputs')
    # As in MMPose's configs, bottom-up samples have no category.
    hides_category = source.dataset.bbox_file or (
        source.bottom_up and not pack)
    pack = TRANSFORMS.build(pack or dict(type='PackPoseInputs'))
    convert = converter and TRANSFORMS.build(converter)
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if 'keypoints' not in info:  # an image without instances
            continue
        info = convert.transform(info) if convert else info
        points = info['keypoints']
        visible = info['keypoints_visible'].reshape(*points.shape[:2], -1)
        kept = (visible[..., 0] > 0).any(axis=1)
        if source.bottom_up:
            kept &= ~np.array(info['iscrowd'], dtype=bool)
        if hides_category:
            info.pop('category_id', None)
        pixel = np.zeros((1, 1, 3), np.uint8)
        sample = pack.transform(
            dict(info, img=pixel, ori_shape=(1, 1)))['data_samples']
        sample.pred_instances = InstanceData(
            keypoints=points[kept] - offset,
            keypoint_scores=np.ones(points[kept].shape[:2]),
            bboxes=info['bbox'][kept],
            bbox_scores=np.ones(kept.sum()))
        yield sample.to_dict()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hide what pycocotools prints and the metrics log."""
    logger = MMLogger.get_current_instance()
    level = logger.level
    logger.setLevel('ERROR')
    try:
        with redirect_stdout(io.StringIO()):
            yield
    finally:
        logger.setLevel(level)
