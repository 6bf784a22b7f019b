"""What to predict on, and what its results are called."""
import os
from pathlib import Path
from typing import List, NamedTuple, Sequence, Set, Tuple, Union

from ..checkpoints.safe_load import refuse_url
from .predict_files import PathLike

PICTURES = {'.bmp', '.jpeg', '.jpg', '.png', '.tif', '.tiff', '.webp'}
IMAGES = PICTURES | {'.pgm', '.ppm'}
VIDEOS = {'.avi', '.m4v', '.mkv', '.mov', '.mp4', '.mpeg', '.mpg', '.webm'}


class Source(NamedTuple):
    """An image or a video, and the names of its results below ``out_dir``.

    Attributes:
        path: The file.
        drawn: The picture or video with skeletons.
        predictions: The JSON file.
    """
    path: Path
    drawn: Path
    predictions: Path

    @property
    def is_video(self) -> bool:
        return self.path.suffix.lower() in VIDEOS


def find_sources(inputs: Union[PathLike, Sequence[PathLike]],
                 out_dir: PathLike) -> List[Source]:
    """Files to predict on, each with names of its own for its results.

    Args:
        inputs: As for :func:`predict`.
        out_dir: Where the results go; it is not searched where it lies in a
            folder of ``inputs``.

    Returns:
        The files; those that were given are not looked at yet.

    Raises:
        ValueError: If an input is a URL, a folder has no image and no video,
            or a result would replace an input.
    """
    if isinstance(inputs, (str, Path)):
        inputs = [inputs]
    found = []
    for given in inputs:
        refuse_url(given, 'inputs', 'predict')
        path = Path(given)
        if path.is_dir():
            found += _search(path, Path(out_dir))
        else:
            found.append((path, Path(path.name)))
    if not found:
        raise ValueError('predict: expected inputs to name images, videos or '
                         'folders of them, got none')
    sources = _name_results(found)
    # Unlike Path.resolve it takes a link that leads to itself.
    paths = {os.path.realpath(source.path) for source in sources}
    for source in sources:
        for result in (source.drawn, source.predictions):
            if os.path.realpath(Path(out_dir) / result) in paths:
                raise ValueError(
                    f'predict: expected out_dir to be apart from the inputs, '
                    f'got {str(out_dir)!r}, where {str(result)!r} is one of '
                    'them and would be replaced; choose another folder')
    return sources


def _search(folder: Path, out_dir: Path) -> List[Tuple[Path, Path]]:
    """Images and videos of a folder and their paths within it, sorted."""

    def stop(err: OSError) -> None:
        raise err

    names = []
    # A link to a folder is not followed: it could lead round in circles.
    for root, folders, files in os.walk(folder, onerror=stop):
        folders[:] = [
            name for name in folders
            if os.path.realpath(Path(root, name)) != os.path.realpath(out_dir)
        ]
        names += [
            Path(root, name).relative_to(folder) for name in files
            if Path(name).suffix.lower() in IMAGES | VIDEOS
        ]
    if not names:
        raise ValueError(
            f'predict: expected images or videos in the folder '
            f'{str(folder)!r}, got none with one of the endings '
            f'{" ".join(sorted(IMAGES | VIDEOS))}')
    return [(folder / name, name) for name in sorted(names)]


def _name_results(found: List[Tuple[Path, Path]]) -> List[Source]:
    """Give each file names that no other has.

    Where a name is taken, a folder ``2``, ``3`` and so on goes before it.
    """
    files, folders, sources = set(), set(), []
    for path, name in found:
        number, prefix = 1, Path()
        while True:
            source = Source(path, prefix / _drawn_name(name),
                            prefix / name.with_name(f'{name.name}.json'))
            results = {source.drawn, source.predictions}
            if _are_free(results, files, folders):
                break
            number += 1
            prefix = Path(str(number))
        for result in results:
            files.add(_folded(result))
            folders.update(map(_folded, result.parents))
        sources.append(source)
    return sources


def _drawn_name(name: Path) -> Path:
    suffix = name.suffix.lower()
    if suffix in VIDEOS:
        added = '' if suffix == '.mp4' else '.mp4'
    else:
        added = '' if suffix in PICTURES else '.png'
    return name.with_name(name.name + added)


def _are_free(results: Set[Path], files: Set[str], folders: Set[str]) -> bool:
    return not any(
        _folded(result) in files | folders
        or files.intersection(map(_folded, result.parents))
        for result in results)


def _folded(path: Path) -> str:
    """A name as file systems see it that take A for a."""
    return path.as_posix().casefold()
