"""Image files of a data set."""
import math
import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS
from PIL import Image

from ..console import progress
from ..datasets.images import image_damage
from .report import STOPS, WRONG, DatasetReport
from .sources import DataSource


class ImageFile(NamedTuple):
    """An image that a data set loads."""
    path: str
    label: str  # id and name
    size: Optional[Tuple[int, int]]  # (w, h) in px; None if not recorded


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


@cache
def warp_limit() -> float:
    """Return the shortest side in px that ``cv2.warpAffine`` refuses.

    OpenCV 4 refuses the largest short integer, OpenCV 5 no side (infinity).
    """
    side = np.iinfo(np.int16).max
    try:
        cv2.warpAffine(np.zeros((1, side), np.uint8), np.eye(2, 3), (1, 1))
    except cv2.error:
        return side
    return math.inf


def _find_fault(image: ImageFile,
                load: Optional[LoadImage]) -> Optional[Tuple[str, str, str]]:
    """Return kind, effect and message of a fault of an image."""
    if not os.path.isfile(image.path):
        return 'no_image', STOPS, 'no such file'
    size = image.size
    if load:
        damage = image_damage(image.path)
        try:
            size = load.transform(dict(img_path=image.path))['img_shape'][::-1]
        # Image readers fail in many ways.
        except Exception as err:
            return 'unreadable_image', STOPS, damage or str(err).split('\n')[0]
        if damage:
            return 'damaged_image', WRONG, damage
    if size and max(size) >= warp_limit():
        return 'image_too_large', STOPS, f'{size[0]}x{size[1]} px'
    if image.size and min(image.size) > 0 and image.size != size:
        turned = ', as if EXIF data turned it' * (image.size == size[::-1])
        return 'image_size', WRONG, (
            f'{size[0]}x{size[1]} px, recorded are '
            f'{image.size[0]}x{image.size[1]} px{turned}')
    return None
