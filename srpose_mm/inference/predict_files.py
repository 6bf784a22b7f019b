"""Read images and videos that may be broken; write to one folder only."""
import os
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Callable, Iterator, Union

import cv2
import mmcv
import numpy as np
from PIL import Image, UnidentifiedImageError

from ..checkpoints.replacing import replacing

PathLike = Union[str, Path]


class SkippedFile(Exception):
    """Why one file is left out while the rest goes on."""


def check_file(path: Path) -> None:
    """Raise :class:`SkippedFile` if there is nothing to read."""
    if not path.is_file():
        raise SkippedFile('not a file' if path.exists() else 'no such file')
    if path.stat().st_size == 0:
        raise SkippedFile('the file is empty')


def read_image(path: Path) -> np.ndarray:
    """Read an image as MMPose's pipelines do.

    Args:
        path: The file: colour, grey or with an alpha channel.

    Returns:
        BGR values, uint8, in shape (h, w, 3), turned upright as the file's
        EXIF data says.

    Raises:
        SkippedFile: If there is no whole image in it.
    """
    check_file(path)
    contents = path.read_bytes()
    try:
        # OpenCV takes half an image for a whole one, Pillow does not.
        with Image.open(BytesIO(contents)) as image:
            image.load()
        pixels = mmcv.imfrombytes(contents)
    except UnidentifiedImageError as err:
        raise SkippedFile('it is no image') from err
    # A broken image can fail in any way.
    except Exception as err:
        raise SkippedFile(f'it is damaged: {err}') from err
    if pixels is None:
        raise SkippedFile('OpenCV cannot read this kind of image')
    return pixels


def open_video(path: Path) -> cv2.VideoCapture:
    """Open a video.

    Raises:
        SkippedFile: If OpenCV cannot.
    """
    check_file(path)
    with path.open('rb') as stream:
        start = stream.read(64)
    # FFmpeg follows playlists to other files; they are text.
    if all(byte >= 32 or byte in b'\t\r\n' for byte in start):
        raise SkippedFile('it is text and no video')
    # An absolute path is no address of a stream, whatever it is called.
    video = cv2.VideoCapture(os.path.abspath(path))
    if not video.isOpened():
        raise SkippedFile('it is no video that OpenCV can read')
    return video


def frames(video: cv2.VideoCapture) -> Iterator[np.ndarray]:
    """The frames of a video, as :func:`read_image` gives images."""
    is_frame, frame = video.read()
    while is_frame:
        yield frame
        is_frame, frame = video.read()


@contextmanager
def video_writer(path: Path,
                 fps: float) -> Iterator[Callable[[np.ndarray], None]]:
    """Write a video, as large as its first frame.

    Args:
        path: The file, mp4.
        fps: Frames per second.

    Yields:
        A function that takes the next frame, BGR.

    Raises:
        SkippedFile: If OpenCV cannot write it.
    """
    writer = cv2.VideoWriter()
    codec = cv2.VideoWriter_fourcc(*'mp4v')

    def write(frame: np.ndarray) -> None:
        size = frame.shape[1::-1]
        if not writer.isOpened() and not writer.open(
                str(path), codec, fps, size):
            raise SkippedFile('OpenCV cannot write an mp4 video of it')
        writer.write(frame)

    try:
        yield write
    finally:
        writer.release()


class OutFolder:
    """The one folder that is written to.

    Args:
        folder: The folder; it is made if it is not there.
    """

    def __init__(self, folder: PathLike):
        Path(folder).mkdir(parents=True, exist_ok=True)
        self.root = Path(folder).resolve()

    @contextmanager
    def writing(self, name: Path) -> Iterator[Path]:
        """Write a file in one step: all of it or nothing.

        Args:
            name: The file below the folder.

        Yields:
            A file to write, which becomes ``name`` if nothing fails.

        Raises:
            SkippedFile: If links lead ``name`` out of the folder.
        """
        target = self.root / name
        if self.root not in Path(os.path.realpath(target)).parents:
            raise SkippedFile(f'a link leads its result {str(name)!r} out of '
                              'out_dir')
        target.parent.mkdir(parents=True, exist_ok=True)
        with replacing(target) as unfinished:
            yield unfinished
