"""Check that the data of a study are complete before hours of training."""
import json
import os
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

from mmengine.config import Config, ConfigDict

from .plan import Run
from .study_file import Study


class Source(NamedTuple):
    """A file that a run reads, and the folder of the images it names."""

    file: Path
    images: Optional[Path] = None


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
    faults = dict.fromkeys(
        fault for source in sources for fault in _faults(source, study.data))
    if faults:
        lines = '\n'.join(f'- {fault}' for fault in faults)
        raise ValueError(
            f'expected the data of {study.path} to be complete, got '
            f'{len(faults)} faults:\n{lines}\nLink the data below data/, or '
            'name their folder with --cfg-options, e.g. '
            'train_dataloader.dataset.data_root=PATH')


def _sources_of(run: Run) -> Iterator[Source]:
    for key in ('train_dataloader', 'val_dataloader'):
        yield from _sources_in(run.cfg, key)
    for test in run.tests:
        yield from _sources_in(test.cfg, 'test_dataloader')
        metrics = test.cfg.get('test_evaluator') or []
        for metric in metrics if isinstance(metrics, list) else [metrics]:
            if metric.get('ann_file'):
                yield Source(Path(metric.ann_file))


def _sources_in(cfg: Config, key: str) -> Iterator[Source]:
    dataset = (cfg.get(key) or {}).get('dataset') or ConfigDict()
    root = Path(dataset.get('data_root') or '')
    if dataset.get('ann_file'):
        prefix = (dataset.get('data_prefix') or {}).get('img')
        yield Source(root / dataset.ann_file,
                     None if prefix is None else root / prefix)
    # MMPose reads these relative to the working directory.
    for name in ('bbox_file', 'headbox_file'):
        if dataset.get(name):
            yield Source(Path(dataset[name]))


def _faults(source: Source, data: Dict[str, dict]) -> Iterator[str]:
    file, folder = source
    facts = data.get(file.name, {})
    folder_exists = folder is None or folder.is_dir()
    if not folder_exists:
        yield f'{folder} does not exist{_hint(data.get(folder.name, {}))}'
    if not file.is_file():
        yield f'{file} does not exist{_hint(facts)}'
    elif file.suffix == '.json':
        try:
            content = json.loads(file.read_text('utf-8'))
        except ValueError as err:
            yield f'{file} is corrupt ({err}){_hint(facts)}'
            return
        for key, count in _counts(content).items():
            if count != facts.get(key, count):
                yield (f'{file}: expected {facts[key]} {key}, got {count}'
                       f'{_hint(facts)}')
        if folder is not None and folder_exists:
            yield from _missing_images(content, folder,
                                       data.get(folder.name, {}))


def _counts(content) -> Dict[str, int]:
    if isinstance(content, list):  # MPII, and detections
        return dict(images=len(set(_names(content))), annotations=len(content))
    return {key: len(content.get(key, ()))
            for key in ('images', 'annotations')}


def _names(content) -> List[str]:
    if isinstance(content, list):
        return [entry['image'] for entry in content if 'image' in entry]
    return [image['file_name'] for image in content.get('images', ())]


def _missing_images(content, folder: Path, facts: dict) -> Iterator[str]:
    present = set(os.listdir(folder))
    names = dict.fromkeys(_names(content))
    missing = [name for name in names if name not in present
               and not ('/' in name and (folder / name).is_file())]
    if missing:
        yield (f'{folder} lacks {len(missing)} of {len(names)} images, e.g. '
               f'{missing[0]}{_hint(facts)}')


def _hint(facts: dict) -> str:
    return f'; get it from {facts["source"]}' if 'source' in facts else ''
