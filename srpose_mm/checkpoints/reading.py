"""Read checkpoints from files and from the web without running code.

Importing this module makes it the loader of MMEngine: ``load_from``,
``resume``, ``init_model``, ``MMPoseInferencer`` and the weights that a config
names for a backbone are read here.
"""
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import Any, Union
from urllib.parse import urlparse

import torch
from mmengine import runner
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log
from mmengine.runner.checkpoint import _process_mmcls_checkpoint
from safetensors.torch import load_file

from .allowed import Refused, load_allowed
from .files import atomic_write

Location = Union[str, Path]

WEB = ('http://', 'https://')
MODEL_NAMES = {
    'torchvision://': runner.get_torchvision_models,
    'modelzoo://': runner.get_torchvision_models,
    'open-mmlab://': runner.get_external_models,
    'openmmlab://': runner.get_external_models,
    'mmcls://': runner.get_mmcls_models,
}
# MMEngine's loaders of these would run code; here they are no files.
REFUSED = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://')


class CheckpointError(ValueError):
    """A checkpoint is corrupt, could run code or has other contents."""


def load_checkpoint(location: Location, map_location: Any = None) -> Any:
    """Read the contents of a checkpoint that may be corrupt or hostile.

    Texts of configs are removed from ``meta`` and ``message_hub``, because
    MMEngine executes them when it resumes or builds an inferencer.

    Args:
        location: A file of PyTorch or MMEngine, a ``.safetensors`` file, the
            ``http(s)://`` URL of one, or a name such as
            ``torchvision://resnet50``. Downloads are kept in the cache of
            ``torch.hub``.
        map_location: As for ``torch.load``. ``None`` means the CPU.

    Returns:
        The contents, mostly a dict with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If the download fails.
        CheckpointError: If the file is corrupt or has other contents than
            tensors and plain values.
    """
    path = _local_file(str(location))
    # If a file in the cache is corrupt, the user has to remove it.
    name = f'{location} in {path}' if '://' in str(location) else location
    contents = _read(path, name, map_location or 'cpu')
    if not isinstance(contents, dict):
        return contents
    if str(location).startswith('mmcls://'):
        return _process_mmcls_checkpoint(contents)
    hub = contents.get('message_hub')
    for part in (contents.get('meta'),
                 hub.get('runtime_info') if isinstance(hub, dict) else None):
        if isinstance(part, dict):
            part.pop('config', None)
            part.pop('cfg', None)
    return contents


runner.CheckpointLoader.register_scheme(
    ['', *WEB, *MODEL_NAMES, *REFUSED], load_checkpoint, force=True)


def _local_file(location: str) -> Path:
    """Return the path of a checkpoint, after a download if needed."""
    for prefix, models in MODEL_NAMES.items():
        if location.startswith(prefix):
            name = location[len(prefix):]
            name = runner.get_deprecated_model_names().get(name, name)
            url = models().get(name)
            if not url:
                raise CheckpointError(f'{location}: expected the name of a '
                                      'model that MMEngine knows')
            location = url
    if location.startswith(WEB):
        return _download(location)
    path = Path(location).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f'{location}: expected a checkpoint, which is an existing file or '
            f'starts with {", ".join([*WEB, *MODEL_NAMES])}')
    return path


def _download(url: str) -> Path:
    """Return the path of a URL's file in the cache of ``torch.hub``."""
    name = Path(urlparse(url).path).name
    if not name.strip('.'):
        raise CheckpointError(f'{url}: expected the URL of a file')
    path = Path(torch.hub.get_dir(), 'checkpoints', name)
    if is_main_process():
        _fetch(url, path)
    barrier()
    _fetch(url, path)  # a node can have a cache of its own
    return path


def _fetch(url: str, path: Path) -> None:
    """Download a URL unless its file exists."""
    if path.is_file():
        return
    print_log(f'Downloading {url} to {path}', 'current')
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as unfinished:
        try:
            torch.hub.download_url_to_file(url, str(unfinished))
        except (OSError, HTTPException) as err:
            raise OSError(f'{url}: the download failed ({err}); check the URL '
                          'and the network') from err
        # Other programs trust the cache: judge the file before it gets there.
        _read(unfinished, url)


def _read(path: Path, location: Location, map_location: Any = 'cpu') -> Any:
    """Read a local file; errors name ``location``."""
    try:
        if path.suffix == '.safetensors':
            return dict(state_dict=load_file(path), meta={})
        with path.open('rb') as stream:
            _check_sums(stream)
            return load_allowed(stream, map_location)
    # A corrupt pickle can fail in any way.
    except Exception as err:
        reason = ' '.join(f'{type(err).__name__}: {err}'.split())[:150]
        got = (f'one with {err}, which could run code' if isinstance(
            err, Refused) else f'a corrupt or hostile one ({reason})')
        raise CheckpointError(
            f'{location}: expected a checkpoint of tensors and plain values, '
            f'got {got}; get it from a source you trust') from err


def _check_sums(stream: Any) -> None:
    """Compare an archive with its checksums, which torch.load ignores."""
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            changed = archive.testzip()
        if changed is not None:
            raise zipfile.BadZipFile(f'{changed} has changed')
    stream.seek(0)
