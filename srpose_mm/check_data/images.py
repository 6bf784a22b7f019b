"""Image files of a dataset, and the boxes that a detector found in them."""
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import numpy as np
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS
from PIL import Image

from ..console import progress
from ..datasets.utils import image_damage
from .report import STOPS, WRONG, DatasetReport
from .sources import DataSource, read_json


class ImageFile(NamedTuple):
    """An image that a dataset loads."""
    path: str
    label: str  # id and name
    size: Optional[Tuple[int, int]] = None  # (w, h) in px, if recorded
    record: Optional[dict] = None  # entry of COCO's format for MMPose


def check_images(source: DataSource, images: List[ImageFile], opened: bool,
                 report: DatasetReport) -> None:
    """Check that image files exist, and if they are opened, their content."""
    report.count('images', len(images))
    load = opened and TRANSFORMS.build(
        source.step('LoadImage') or dict(type='LoadImage'))
    with warnings.catch_warnings(), ThreadPoolExecutor(
            os.cpu_count()) as pool:
        # A large image is no attack here.
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        faults = pool.map(lambda image: _find_fault(image, load), images)
        if opened:
            faults = progress(faults, f'opening images of {report.title}',
                              len(images))
        for fault, image in zip(faults, images):
            if fault:
                report.add(*fault, image.label, file=image.path)


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


def _find_fault(image: ImageFile,
                load: Optional[LoadImage]) -> Optional[Tuple[str, str, str]]:
    """Return kind, effect and message of a fault of an image."""
    if not os.path.isfile(image.path):
        return 'no_image', STOPS, 'no such file'
    if not load:
        return None
    damage = image_damage(image.path)
    try:
        size = load.transform(dict(img_path=image.path))['img_shape'][::-1]
    # Image readers fail in many ways.
    except Exception as err:
        return 'unreadable_image', STOPS, damage or str(err).split('\n')[0]
    if damage:
        return 'damaged_image', WRONG, damage
    if image.size and min(image.size) > 0 and image.size != size:
        turned = ', as if EXIF data turned it' * (image.size == size[::-1])
        return 'image_size', WRONG, (
            f'{size[0]}x{size[1]} px, recorded are '
            f'{image.size[0]}x{image.size[1]} px{turned}')
    return None
