import os
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import List, NamedTuple, Optional, Tuple

from mmpose.datasets.transforms import LoadImage
from mmpose.registry import TRANSFORMS
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import track

from ..inference.predict_files import SkippedFile, check_file
from .findings import Findings
from .sources import Source

# What cv2.warpAffine refuses, the largest short integer.
TOO_LARGE = 32767


class Picture(NamedTuple):
    """An image that a data set loads.

    Attributes:
        path: Its file.
        label: Its id and name.
        size: (w, h) as recorded, in px; ``None`` if nothing records it.
    """

    path: str
    label: str
    size: Optional[Tuple[int, int]]


def check_pictures(source: Source, pictures: List[Picture], opened: bool,
                   findings: Findings) -> None:
    """Check the image files of a data set.

    Args:
        source: The data set.
        pictures: Its images.
        opened: Whether each is opened, and not only looked for.
        findings: Gets the faults.
    """
    findings.count('images', len(pictures))
    if not opened:
        for picture in pictures:
            if not os.path.isfile(picture.path):
                findings.add('no_image', 'no such file', picture.path,
                             picture.label)
            elif picture.size and max(picture.size) >= TOO_LARGE:
                width, height = picture.size
                findings.add('image_too_large', f'{width}x{height} px are '
                             'recorded', picture.path, picture.label)
        return
    load = TRANSFORMS.build(source.loader or dict(type='LoadImage'))
    with warnings.catch_warnings(), ThreadPoolExecutor(
            os.cpu_count()) as pool:
        # Large images are no attack here.
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        results = track(
            pool.map(lambda picture: _look_at(picture, load), pictures),
            f'opening images of {", ".join(source.splits)}',
            total=len(pictures),
            console=Console(stderr=True))
        for fault, picture in zip(results, pictures):
            if fault:
                findings.add(*fault, picture.path, picture.label)


def _look_at(picture: Picture, load: LoadImage) -> Optional[Tuple[str, str]]:
    """Open an image as the data set does; the fault and what it is."""
    try:
        check_file(Path(picture.path))
    except SkippedFile as err:
        missing = not Path(picture.path).exists()
        return 'no_image' if missing else 'unreadable_image', str(err)
    # A name that is too long, or a folder that may not be looked into.
    except OSError as err:
        return 'no_image', str(err.strerror)
    damage = _damage(picture.path)
    try:
        height, width = load.transform(
            dict(img_path=picture.path))['img_shape']
    # Readers of images fail in any way.
    except Exception as err:
        return 'unreadable_image', damage or str(err).split('\n')[0]
    if damage:
        return 'damaged_image', damage
    if max(width, height) >= TOO_LARGE:
        return 'image_too_large', f'it has {width}x{height} px'
    known = picture.size and min(picture.size) > 0
    if known and picture.size != (width, height):
        recorded = 'x'.join(map(str, picture.size))
        turned = picture.size == (height, width)
        return 'image_size', (
            f'it has {width}x{height} px, {recorded} are recorded'
            + turned * ', as if its EXIF data turned it')
    return None


def _damage(path: str) -> Optional[str]:
    """What is missing in an image of a kind that Pillow knows.

    Some versions of OpenCV take half an image for a whole one; Pillow does
    not.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except UnidentifiedImageError:
        return None
    except (OSError, SyntaxError) as err:
        return str(err)
    # What is too much for Pillow, such as a text of a megabyte in a PNG, is
    # no damage: OpenCV decides.
    except Exception:
        return None
    return None
