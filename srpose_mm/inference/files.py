"""Find images and videos, read them, and name and write their results."""
import mimetypes
import os
import warnings
from collections import Counter
from contextlib import contextmanager
from pathlib import Path
from typing import Callable, Iterator, List, NamedTuple, Optional, Tuple, Union

import cv2
import mmcv
import numpy as np
from PIL import Image

from ..checkpoints.files import atomic_write
from ..datasets.utils import image_damage

PathLike = Union[str, Path]

# Formats in which OpenCV writes a picture; others are drawn as PNG.
PICTURES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}
UNREADABLE = 'it is neither an image nor a video that OpenCV can read'


class SkippedFile(ValueError):
    """The reason why a file cannot be processed while others can."""


class Source(NamedTuple):
    """An input file, and the names of its results below the output folder."""
    path: Path
    is_video: bool
    picture: Path
    predictions: Path


def find_sources(inputs: List[PathLike],
                 out_dir: Optional[PathLike]) -> List[Source]:
    """Find images and videos, in folders at any depth, and name their results.

    Links to folders are not followed, and ``out_dir`` is not searched.

    Raises:
        ValueError: If an input is a URL, a folder has no image and no video,
            two inputs have the same result, or a result would replace an
            input.
    """
    sources = []
    for path in inputs:
        if '://' in str(path):
            raise ValueError('expected inputs to be files or folders, got '
                             f'{str(path)!r}; download it first')
        path = Path(path)
        if path.is_dir():
            sources += [_name_results(found, found.relative_to(path))
                        for found in _search(path, out_dir)]
        else:
            sources.append(_name_results(path, Path(path.name)))
    if not sources:
        raise ValueError('expected inputs to name images, videos or folders '
                         'of them, got none')
    if out_dir is not None:
        _check_results(sources, out_dir)
    return sources


def read_image(path: PathLike,
               color_type: str = 'color',
               imdecode_backend: Optional[str] = None) -> np.ndarray:
    """Read an image as MMPose's ``LoadImage`` does, with its options.

    Returns:
        BGR values (h, w, 3), uint8, upright according to the EXIF data.

    Raises:
        SkippedFile: If the file is no image or is truncated.
    """
    contents = check_file(Path(path)).read_bytes()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore', Image.DecompressionBombWarning)
        damage = image_damage(path)
    if damage:
        raise SkippedFile(f'it is damaged: {damage}')
    pixels = mmcv.imfrombytes(contents, color_type, backend=imdecode_backend)
    if pixels is None:
        raise SkippedFile(UNREADABLE)
    return mmcv.gray2bgr(pixels) if pixels.ndim == 2 else pixels


def read_frames(
    source: Source, load_options: dict
) -> Tuple[Iterator[np.ndarray], Optional[float], int]:
    """Return upright BGR frames, frames per second and number of frames.

    An image has one frame and no frames per second.
    """
    if not source.is_video:
        return iter([read_image(source.path, **load_options)]), None, 1
    video = _open_video(source.path)
    frames = (frame for _, frame in iter(video.read, (False, None)))
    total = int(np.nan_to_num(video.get(cv2.CAP_PROP_FRAME_COUNT)))
    return frames, video.get(cv2.CAP_PROP_FPS) or 25., total


@contextmanager
def picture_writer(out_dir: Path, name: Path, fps: Optional[float]
                   ) -> Iterator[Callable[[np.ndarray], None]]:
    """Yield a function that writes a BGR image, or frames of an mp4 video.

    Raises:
        SkippedFile: If OpenCV cannot write such a file.
    """
    video = cv2.VideoWriter()

    def write(picture: np.ndarray) -> None:
        if fps is None:
            is_written, contents = cv2.imencode(path.suffix, picture)
            if is_written:
                path.write_bytes(contents)
        else:
            is_written = video.isOpened() or video.open(
                _opencv_name(path), cv2.VideoWriter_fourcc(*'mp4v'), fps,
                picture.shape[1::-1])
            video.write(picture)
        if not is_written:
            raise SkippedFile(f'OpenCV cannot write it as {path.suffix}')

    with result_file(out_dir, name) as path:
        yield write
        video.release()


@contextmanager
def result_file(out_dir: Path, name: Path) -> Iterator[Path]:
    """Yield a temporary file that becomes ``name`` below a folder.

    Raises:
        SkippedFile: If a link leads out of the folder.
    """
    target = out_dir / name
    if out_dir not in Path(os.path.realpath(target)).parents:
        raise SkippedFile(f'a link leads its result {str(name)!r} out of '
                          'out_dir')
    target.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(target) as unfinished:
        yield unfinished


def check_file(path: Path) -> Path:
    """Return a path, or raise SkippedFile if nothing can be read from it."""
    if not path.is_file():
        raise SkippedFile('not a file' if path.exists() else 'no such file')
    if path.stat().st_size == 0:
        raise SkippedFile('the file is empty')
    return path


def _open_video(path: Path) -> cv2.VideoCapture:
    with check_file(path).open('rb') as stream:
        start = stream.read(64)
    # Playlists are text; FFmpeg would open the files that they name.
    is_text = all(byte >= 32 or byte in b'\t\r\n' for byte in start)
    video = cv2.VideoCapture()
    if is_text or not video.open(_opencv_name(path)):
        raise SkippedFile(UNREADABLE)
    # Phones write frames as the sensor sees them, and their rotation.
    video.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)
    return video


def _opencv_name(path: Path) -> str:
    # FFmpeg could mistake a relative path for the address of a stream.
    name = os.path.abspath(path)
    try:
        name.encode()
    # OpenCV would crash.
    except UnicodeEncodeError as err:
        raise SkippedFile('its name is not valid UTF-8') from err
    return name


def _kind(path: Path) -> Optional[str]:
    """Return ``'image'``, ``'video'``, or None if OpenCV reads neither."""
    try:
        if cv2.haveImageReader(_opencv_name(check_file(path))):
            return 'image'
        _open_video(path).release()
    except (OSError, SkippedFile):
        return None
    return 'video'


def _search(folder: Path, out_dir: Optional[PathLike]) -> List[Path]:
    """Return images and videos within a folder but not in ``out_dir``."""
    skipped = out_dir and os.path.realpath(out_dir)
    found = []
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders
                      if os.path.realpath(Path(root, name)) != skipped]
        # The suffix tells that a corrupt file is an image or a video.
        found += [
            path for path in (Path(root, name) for name in names)
            if (mimetypes.guess_type(path.name)[0] or '').startswith(
                ('image/', 'video/')) or _kind(path)
        ]
    if not found:
        raise ValueError('expected images or videos in the folder '
                         f'{str(folder)!r}, got none that OpenCV can read')
    return sorted(found)


def _name_results(path: Path, name: Path) -> Source:
    """Name the results of a file that is ``name`` below its folder."""
    is_video = _kind(path) == 'video'
    keep, ending = ({'.mp4'}, '.mp4') if is_video else (PICTURES, '.png')
    ending = '' if name.suffix.lower() in keep else ending
    return Source(path, is_video, *(
        Path(f'{name}{end}') for end in (ending, '.json')))


def _check_results(sources: List[Source], out_dir: PathLike) -> None:
    """Check that no result would replace another one or an input."""
    [(name, number)] = Counter(
        source.picture for source in sources).most_common(1)
    if number > 1:
        raise ValueError('expected a result of its own for each input, got '
                         f'{number} inputs for {str(name)!r}; name a folder '
                         'that holds them, or rename one')
    paths = {os.path.realpath(source.path) for source in sources}
    for name in (name for source in sources for name in source[2:]):
        if os.path.realpath(Path(out_dir, name)) in paths:
            raise ValueError(
                'expected out_dir to be apart from the inputs, got '
                f'{str(out_dir)!r}, where {str(name)!r} is one of them and '
                'would be replaced; choose another folder')
