from typing import List, Optional, Sequence

from mmengine.registry import init_default_scope
from mmpose.datasets.datasets import MpiiDataset

from ..check_data import Checked, Findings, Source, find_sources
from ..configs import ConfigLike, load_config
from .coco_file import check_coco_file
from .detections import check_detections
from .mpii_file import check_mpii_file
from .pictures import check_pictures


def check_dataset(config: ConfigLike,
                  splits: Optional[Sequence[str]] = None,
                  images: bool = False) -> List[Checked]:
    """Find what is wrong with the data that a config names.

    It reads the files of annotations and detections of its data loaders,
    without building what a fault in them would break, and says of each fault
    what MMPose does with it: ends with an error, leaves somebody out, or
    trains on something wrong. Annotations are in COCO's layout or MPII's.

    Args:
        config: A config, its file, ``PACKAGE::PATH`` or a bare name of this
            package or MMPose.
        splits: Some of ``train``, ``val`` and ``test``; ``None`` takes those
            that the config has.
        images: Whether each image is opened, and not only looked for.

    Returns:
        For each data set what was looked at and what is wrong.

    Raises:
        FileNotFoundError: If there is no such config.
        ValueError: If a split is unknown, or a data set is of a type whose
            files this function does not know.
    """
    cfg = load_config(config)
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    return [
        _check(source, images) for source in find_sources(cfg, splits)
    ]


def _check(source: Source, images: bool) -> Checked:
    findings = Findings(source.bottom_up)
    dataset = source.dataset
    files = [str(dataset.ann_file)]
    if isinstance(dataset, MpiiDataset):
        pictures = check_mpii_file(source, findings)
    else:
        pictures = check_coco_file(source, findings)
    if dataset.bbox_file:
        files.append(str(dataset.bbox_file))
        used = check_detections(dataset.bbox_file, pictures, findings)
        pictures = {key: pictures[key] for key in used}
    check_pictures(source, list(pictures.values()), images, findings)
    return Checked(source.title, files, findings.counts, findings.faults)
