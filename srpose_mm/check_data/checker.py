"""The check of all datasets of a config."""
from typing import List, Optional, Sequence

from mmengine.config import Config
from mmpose.datasets.datasets import MpiiDataset

from ..configs import (
    ConfigLike,
    init_scope,
    load_config,
    maps_by_udp,
    type_name,
)
from .annotations import check_coco_file, check_mpii_file
from .evaluation import check_evaluation
from .images import check_detections, check_images
from .metainfo import check_metainfo
from .report import STOPS, WRONG, DatasetReport
from .sources import DataSource, UnreadableFileError, find_sources


def check_dataset(config: ConfigLike,
                  splits: Optional[Sequence[str]] = None,
                  images: bool = False) -> List[DatasetReport]:
    """Find faults in the datasets of a config.

    The annotation and detection files, in COCO's format, are read value by
    value, so that one fault does not hide the others. Of MPII's files only
    the structure and the images are checked. Each fault says how MMPose
    reacts to it: with an error, by leaving the instance out, or by training
    on wrong targets. For validation and test, the metrics also score
    predictions that equal the annotations.

    Args:
        config: A config, or an argument of
            :func:`srpose_mm.configs.locate_config`.
        splits: Some of ``train``, ``val`` and ``test``. If it is ``None``,
            all data loaders of the config count.
        images: Open each image instead of only checking that it exists.

    Returns:
        One report per dataset. Data loaders that agree share a report.

    Raises:
        FileNotFoundError: If the config does not exist.
        ValueError: If a split is unknown, or a dataset cannot be built or is
            of a class whose files are unknown.
    """
    cfg = load_config(config)
    init_scope(cfg)
    return [_check_source(source, cfg, images)
            for source in find_sources(cfg, splits)]


def _check_source(source: DataSource, cfg: Config,
                  images: bool) -> DatasetReport:
    dataset = source.dataset
    report = DatasetReport(
        f'{", ".join(source.splits)}: {type(dataset).__name__}, '
        f'{"bottom-up" if source.bottom_up else "top-down"}',
        [str(file) for file in (dataset.ann_file, dataset.bbox_file) if file])
    _check_codecs(source, cfg, report)
    check = (check_mpii_file if isinstance(dataset, MpiiDataset) else
             check_coco_file)
    try:
        image_files, labelled = check(source, report)
        check_metainfo(source, labelled, report)
        if dataset.bbox_file:
            image_files = check_detections(dataset.bbox_file, image_files,
                                           report)
    except UnreadableFileError as err:
        reason, path = err.args
        report.add('file', STOPS, reason, file=path)
        return report
    if labelled.any():  # otherwise no score is defined
        check_evaluation(source, report)
    check_images(source, list(image_files.values()), images, report)
    return report


def _check_codecs(source: DataSource, cfg: Config,
                  report: DatasetReport) -> None:
    """Compare input sizes (w, h) in px and UDP of codecs and crop."""
    codecs, crop, affine = [], (), source.step('TopdownAffine')
    for step in source.pipeline:
        crop = tuple(step.get('input_size', crop))
        encoders = step.get('encoder') or []
        codecs += [encoders] if isinstance(encoders, dict) else encoders
    head = cfg.model.get('head')
    if source.splits != ['train'] and isinstance(head, dict):
        codecs.append(head.get('decoder') or {})
    file = cfg.filename or 'config'
    for codec in codecs:
        size = tuple(codec.get('input_size', crop))
        if crop and size != crop:
            report.add('codec', WRONG, f'{codec["type"]} has input_size '
                       f'{size}, the crop {crop}; write the same (width, '
                       'height) in both', file=file)
        kind, udp = type_name(codec), maps_by_udp(codec)
        if (affine and kind in ('SRHeatmap', 'MSRAHeatmap', 'UDPHeatmap')
                and udp != affine.get('use_udp', False)):
            report.add('codec', WRONG, f'{kind} maps pixels by '
                       f'{"UDP" if udp else "MSRA"}, the crop does not; write '
                       f'use_udp={udp} in TopdownAffine', file=file)
