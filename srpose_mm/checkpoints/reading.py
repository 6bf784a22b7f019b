"""Read checkpoints from files and from the web without running code.

Importing this module makes it the loader of MMEngine: ``load_from``,
``resume``, ``init_model``, ``MMPoseInferencer`` and the weights that a config
names for a backbone are read here.
"""
import zipfile
from http.client import HTTPException
from pathlib import Path
from typing import Any, Dict, Union
from urllib.parse import urlparse

import torch
from mmengine.dist import barrier, is_main_process
from mmengine.logging import print_log
from mmengine.runner import (
    CheckpointLoader,
    get_deprecated_model_names,
    get_external_models,
    get_mmcls_models,
    get_torchvision_models,
)
from safetensors import safe_open

from .allowed import Refused, is_plain_config, load_allowed
from .files import atomic_write

WEB = ('http://', 'https://')
MODEL_NAMES = {
    'torchvision://': get_torchvision_models,
    'modelzoo://': get_torchvision_models,
    'open-mmlab://': get_external_models,
    'openmmlab://': get_external_models,
    'mmcls://': get_mmcls_models,
}
# MMEngine would read these without care; they are refused.
PRIVATE = (r'(\S+\:)?s3://', r'(\S+\:)?petrel://', 'pavi://')


def load_checkpoint(location: Union[str, Path],
                    map_location: Any = 'cpu') -> Any:
    """Read the contents of a checkpoint that may be corrupt or hostile.

    Args:
        location: A file of PyTorch or MMEngine, a ``.safetensors`` file, its
            ``http(s)://`` URL, or a name such as ``torchvision://resnet50``.
            Downloads are kept in the cache of ``torch.hub``.
        map_location: As for ``torch.load``.

    Returns:
        The contents; mostly a dict with ``state_dict`` and ``meta``.

    Raises:
        FileNotFoundError: If the file does not exist.
        OSError: If the download fails.
        ValueError: If the file is corrupt or has other contents than tensors
            and plain values.
    """
    contents = _read(_local_file(str(location)), location, map_location)
    if str(location).startswith('mmcls://'):
        weights = contents.get('state_dict', contents)
        prefix = 'backbone.'
        return dict(state_dict={
            key[len(prefix):]: value
            for key, value in weights.items() if key.startswith(prefix)
        })
    return contents


def load_from_srpose_mm(filename: str, map_location: Any = None) -> Any:
    """Read a checkpoint for MMEngine.

    MMEngine executes config texts of a checkpoint: ``meta['config']`` when it
    resumes, the others when an inferencer has no config. Texts with more than
    plain values are left out.
    """
    contents = load_checkpoint(filename, map_location or 'cpu')
    if not isinstance(contents, dict):
        return contents
    hub = contents.get('message_hub')
    for part in (contents.get('meta'),
                 hub.get('runtime_info') if isinstance(hub, dict) else None):
        for key in ('config', 'cfg'):
            if (isinstance(part, dict) and key in part
                    and not is_plain_config(part[key])):
                del part[key]
                print_log(
                    f'{filename}: left out {key!r}, a config with more than '
                    'plain values, which MMEngine would execute', 'current')
    return contents


CheckpointLoader.register_scheme(
    ['', *WEB, *MODEL_NAMES, *PRIVATE], load_from_srpose_mm, force=True)


def _local_file(location: str) -> Path:
    """Return the path of a checkpoint, after a download if needed."""
    for prefix, models in MODEL_NAMES.items():
        if location.startswith(prefix):
            name = location[len(prefix):]
            if models is get_external_models:
                name = get_deprecated_model_names().get(name, name)
            urls = models()
            if name not in urls:
                raise ValueError(f'{location}: expected the name of a model '
                                 f'that MMEngine knows, got {name!r}')
            location = urls[name]
    if location.startswith(WEB):
        return _download(location)
    path = Path(location).expanduser()
    if not path.is_file():
        kinds = ', '.join([*WEB, *MODEL_NAMES])
        raise FileNotFoundError(
            f'{location}: expected a checkpoint, which is a file or starts '
            f'with one of {kinds}; no such file exists')
    return path


def _download(url: str) -> Path:
    """Return the path of a URL's file in the cache of ``torch.hub``."""
    name = Path(urlparse(url).path).name
    if not name.strip('.'):
        raise ValueError(f'{url}: expected the URL of a file')
    path = Path(torch.hub.get_dir(), 'checkpoints', name)
    if is_main_process() and not path.is_file():
        _fetch(url, path)
    barrier()
    # A node can have a cache of its own.
    if not path.is_file():
        _fetch(url, path)
    return path


def _fetch(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    print_log(f'Downloading {url} to {path}', 'current')
    with atomic_write(path) as unfinished:
        try:
            torch.hub.download_url_to_file(url, str(unfinished))
        except (OSError, HTTPException) as err:
            raise OSError(f'{url}: the download failed ({err}); check the URL '
                          'and the network') from err
        # Other programs trust the cache: judge the file before it gets there.
        _read(unfinished, url)


def _read(path: Path, location: Union[str, Path],
          map_location: Any = 'cpu') -> Any:
    """Read a local file; errors name ``location``."""
    expected = f'{location}: expected a checkpoint of tensors and plain values'
    try:
        if path.suffix == '.safetensors':
            return _read_safetensors(path)
        with path.open('rb') as stream:
            _check_sums(stream)
            return load_allowed(stream, map_location)
    except Refused as err:
        raise ValueError(f'{expected}, got one with {err}, which could run '
                         'code; get it from a source you trust') from err
    # A corrupt pickle can fail in any way.
    except Exception as err:
        reason = ' '.join(f'{type(err).__name__}: {err}'.split())[:150]
        raise ValueError(f'{expected}, got a corrupt file or one that could '
                         f'run code ({reason}); get it again from a source '
                         'you trust') from err


def _read_safetensors(path: Path) -> Dict[str, Any]:
    with safe_open(str(path), framework='pt') as file:
        weights = {key: file.get_tensor(key) for key in file.keys()}
        return dict(state_dict=weights, meta=dict(file.metadata() or {}))


def _check_sums(stream) -> None:
    """Compare an archive with its checksums, which torch ignores."""
    if zipfile.is_zipfile(stream):
        with zipfile.ZipFile(stream) as archive:
            changed = archive.testzip()
        if changed is not None:
            raise zipfile.BadZipFile(f'{changed} has changed')
    stream.seek(0)
