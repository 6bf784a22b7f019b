"""Data of a test besides the annotations: detected boxes, and metrics."""
import io
import math
from collections import Counter
from contextlib import contextmanager, redirect_stdout
from typing import Any, Dict, Iterator, Optional

import numpy as np
from mmengine.logging import MMLogger
from mmengine.structures import InstanceData
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS, METRICS, TRANSFORMS

from ..configs import type_name
from .images import ImageFile
from .report import STOPS, WRONG, DatasetReport
from .sources import DataSource, read_json

# Scores of perfect predictions.
PERFECT = dict(
    CocoMetric=dict(AP=1), CocoWholeBodyMetric=dict(AP=1),
    PCKAccuracy=dict(PCK=1, PCKh=1, tPCK=1), MpiiPCKAccuracy=dict(PCK=100),
    EPE=dict(EPE=0), NME=dict(NME=0))
# COCO scores at most 20 predictions in an image.
MAX_PREDICTIONS = 20


def check_detections(path: str, images: Dict[Any, ImageFile],
                     report: DatasetReport) -> Dict[Any, ImageFile]:
    """Check detected boxes and return the images that have one."""
    used = {}
    for position, detection in enumerate(read_json(path)):
        if detection.get('category_id', 1) != 1:  # MMPose skips the others.
            continue
        report.count('detections')
        effect, reason, image = WRONG, None, None
        try:
            key, _ = detection['image_id'], detection['category_id']
            x, y, w, h = np.array(detection['bbox'][:4], dtype=np.float32)
            score = np.array(detection['score'], dtype=np.float32)
            used[key] = image = images[key]
            width, height = image.size
            # A comparison with NaN is false.
            if not (0 < w < np.inf and 0 < h < np.inf and -w < x < width
                    and -h < y < height):
                reason = 'the box shows nothing of the image'
            elif not np.isfinite(score):
                reason = 'the score is not finite'
        except (KeyError, TypeError, ValueError) as err:
            effect, reason = STOPS, f'{type(err).__name__}: {err}'
        if reason:
            report.add('detection', effect, f'{reason}; got '
                       f'{detection!r:.120}', image and image.label,
                       f'at {position}', path)
    if not used:
        report.add('no_instances', STOPS, 'no usable detection of category 1',
                   file=path)
    return used


def check_evaluation(source: DataSource, report: DatasetReport) -> None:
    """Let the metrics score predictions that equal the annotations."""
    metrics = [metric for metric in source.metrics
               if type_name(metric) in PERFECT
               and not metric.get('format_only')]
    if not metrics or any(fault.effect == STOPS for fault in report.faults):
        return
    try:
        with _quiet():
            dataset = DATASETS.build(dict(
                source.config, bbox_file=None, lazy_init=False,
                serialize_data=False))
            faults = [fault for metric in metrics
                      for fault in _imperfect_scores(metric, source, dataset)]
            heads = getattr(dataset, 'headbox_dict', None)
            if heads and heads['headboxes_src'].shape[2] != len(dataset):
                faults.append(f'{heads["headboxes_src"].shape[2]} head boxes '
                              f'for {len(dataset)} annotations')
    # Metrics assert what they need, or fail in other ways.
    except Exception as err:
        report.add('evaluation', STOPS, f'{type(err).__name__}: {err}')
        return
    for message in faults:
        report.add('evaluation', WRONG, message)


def _imperfect_scores(metric: dict, source: DataSource,
                      dataset: BaseCocoStyleDataset) -> Iterator[str]:
    """Yield descriptions of scores that are not perfect."""
    name, metainfo = type_name(metric), dict(source.metainfo)
    converter = source.step('KeypointConverter')
    if 'Coco' in name:
        # NMS may drop one of two close instances. Predictions have the
        # format that the converters of the metric expect of the annotations.
        if metric.get('gt_converter') or metric.get('pred_converter'):
            converter, metainfo = None, dataset.metainfo
        metric = dict(metric, nms_mode='none', outfile_prefix=None,
                      pred_converter=metric.get('gt_converter'))
    samples = list(_perfect_samples(source, dataset, converter,
                                    offset=name == 'MpiiPCKAccuracy'))
    built = METRICS.build(metric)
    built.dataset_meta = dict(
        metainfo, CLASSES=dataset.metainfo.get('CLASSES'))
    built.process([], samples)
    numbers = Counter()
    for sample in samples:
        numbers[sample['img_id']] += len(sample['pred_instances']['keypoints'])
    recall = sum(min(number, MAX_PREDICTIONS) for number in numbers.values()
                 ) / sum(numbers.values())
    for key, value in built.evaluate(len(samples)).items():
        key = key.split('/')[-1]
        perfect = PERFECT[name].get(key)
        if key == 'AP':  # the mean precision at 101 recalls
            perfect = (math.floor(100 * recall + 1e-6) + 1) / 101
        if perfect is not None and not abs(value - perfect) < 1e-3:
            yield f'{name}: {key} is {value:.3f} instead of {perfect:.3g}'


def _perfect_samples(source: DataSource, dataset: BaseCocoStyleDataset,
                     converter: Optional[dict],
                     offset: float) -> Iterator[dict]:
    """Yield samples whose predictions equal the annotations, less an offset.

    MpiiPCKAccuracy adds the offset of 1 px.
    """
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
