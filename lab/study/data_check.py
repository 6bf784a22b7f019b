"""Check that the data of a study are complete before hours of training."""
import json
import os
from pathlib import Path
from typing import Dict, Iterator, Optional, Sequence, Tuple

from mmengine.config import Config

from .plan import Run
from .study_file import Study

# A file that a run reads, and the folder of the images that it names.
Source = Tuple[Path, Optional[Path]]


def check_data(study: Study, runs: Sequence[Run]) -> None:
    """Check the files and folders that the configs of runs name.

    If the study has no ``data``, nothing is checked.

    Args:
        study: The study. Its ``data`` has the numbers of images and
            annotations, and the sources to name in the error.
        runs: The runs to check.

    Raises:
        ValueError: If anything is missing. The message lists all of it.
    """
    if not study.data:
        return
    sources = dict.fromkeys(
        source for run in runs for source in _sources_of(run))
    faults = []
    for source in sources:
        for path, fault in _faults(*source, study.data):
            origin = study.data.get(path.name, {}).get('source')
            hint = f'; get it from {origin}' if origin else ''
            faults.append(f'- {path}{fault}{hint}')
    if faults:
        lines = '\n'.join(dict.fromkeys(faults))
        raise ValueError(
            f'expected the data of {study.path} to be complete, got these '
            f'faults:\n{lines}\nLink the data below data/, or name their '
            'folder with --cfg-options, e.g. '
            'train_dataloader.dataset.data_root=PATH')


def _sources_of(run: Run) -> Iterator[Source]:
    for key in ('train_dataloader', 'val_dataloader'):
        yield from _sources_in(run.cfg, key)
    for test in run.tests:
        yield from _sources_in(test.cfg, 'test_dataloader')
        metrics = test.cfg.get('test_evaluator') or []
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            if metric.get('ann_file'):
                yield Path(metric.ann_file), None


def _sources_in(cfg: Config, key: str) -> Iterator[Source]:
    dataset = (cfg.get(key) or {}).get('dataset') or {}
    root = Path(dataset.get('data_root') or '')
    if dataset.get('ann_file'):
        prefix = (dataset.get('data_prefix') or {}).get('img')
        yield (root / dataset['ann_file'],
               None if prefix is None else root / prefix)
    # MMPose reads these relative to the working directory.
    for name in ('bbox_file', 'headbox_file'):
        if dataset.get(name):
            yield Path(dataset[name]), None


def _faults(file: Path, folder: Optional[Path],
            data: Dict[str, dict]) -> Iterator[Tuple[Path, str]]:
    """Yield the file or folder of each fault, and the fault."""
    if folder is not None and not folder.is_dir():
        yield folder, ' does not exist'
    if not file.is_file():
        yield file, ' does not exist'
    elif file.suffix == '.json':
        try:
            content = json.loads(file.read_text('utf-8'))
        except ValueError as err:
            yield file, f' is corrupt ({err})'
            return
        if isinstance(content, list):  # MPII, and detections
            names = {entry.get('image') for entry in content} - {None}
            counts = dict(images=len(names), annotations=len(content))
        else:
            names = {image['file_name'] for image in content.get('images', ())}
            counts = {key: len(content.get(key, ()))
                      for key in ('images', 'annotations')}
        expected = data.get(file.name, {})
        for key, count in counts.items():
            if count != expected.get(key, count):
                yield file, f': expected {expected[key]} {key}, got {count}'
        if folder is not None and folder.is_dir():
            missing = sorted(
                name for name in names - set(os.listdir(folder))
                if not ('/' in name and (folder / name).is_file()))
            if missing:
                yield folder, (f' lacks {len(missing)} of {len(names)} images,'
                               f' e.g. {missing[0]}')
