from typing import Iterator, List, NamedTuple, Optional, Sequence

from mmengine.config import Config
from mmpose.datasets.datasets import MpiiDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.registry import DATASETS

from ..configs import type_name

SPLITS = ('train', 'val', 'test')


class Source(NamedTuple):
    """A data set that a config names.

    Attributes:
        splits: The data loaders that read it.
        dataset: It, before it read anything.
        loader: Config of the step that loads its images; ``None`` for
            MMPose's defaults.
        needs_area: Whether an evaluator of the loaders reads the areas.
    """

    splits: List[str]
    dataset: BaseCocoStyleDataset
    loader: Optional[dict]
    needs_area: bool

    @property
    def bottom_up(self) -> bool:
        """Whether a sample is an image and not a person."""
        return self.dataset.data_mode == 'bottomup'

    @property
    def title(self) -> str:
        """Splits, type and scheme."""
        scheme = 'bottom-up' if self.bottom_up else 'top-down'
        return (f'{", ".join(self.splits)}: {type(self.dataset).__name__}, '
                f'{scheme}')


def find_sources(cfg: Config,
                 splits: Optional[Sequence[str]] = None) -> List[Source]:
    """The data sets that a config's loaders name, without reading them.

    Args:
        cfg: The config.
        splits: Some of ``train``, ``val`` and ``test``; ``None`` takes those
            that the config has.

    Returns:
        One for each data set; several loaders of one share it.

    Raises:
        ValueError: If a split is unknown or the config has none, or if a
            data set is of a type whose files this module does not know.
    """
    found = []
    for split in _known_splits(cfg, splits):
        areas = _needs_area(cfg.get(f'{split}_evaluator'))
        for config in _wrapped(cfg[f'{split}_dataloader'].get('dataset', {})):
            config = dict(config)
            pipeline = config.pop('pipeline', [])
            loader = next(
                (dict(step) for step in pipeline
                 if type_name(step).startswith('LoadImage')), None)
            key = (config, loader, areas)
            for known, others in found:
                if known == key:
                    others.append(split)
                    break
            else:
                found.append((key, [split]))
    return [
        Source(names, _build(config, names[0]), loader, areas)
        for (config, loader, areas), names in found
    ]


def _known_splits(cfg: Config, splits: Optional[Sequence[str]]) -> List[str]:
    has = [split for split in SPLITS if cfg.get(f'{split}_dataloader')]
    for split in splits or has or ['any']:
        if split not in has:
            raise ValueError(
                f'check_dataset: expected data loaders of the config, got '
                f'{split!r}; it has {", ".join(has) or "none"}')
    return [split for split in has if not splits or split in splits]


def _wrapped(config: dict) -> Iterator[dict]:
    """The data sets that a wrapper holds, or the one that it is."""
    inner = config.get('datasets') or [config.get('dataset')]
    if inner == [None]:
        yield config
        return
    for part in inner:
        yield from _wrapped(part)


def _build(config: dict, split: str) -> BaseCocoStyleDataset:
    """Make a data set that has read nothing."""
    name = type_name(config)
    kind = config.get('type')
    if isinstance(kind, str):
        kind = DATASETS.get(kind)
    if kind is None or not _is_known(kind):
        raise ValueError(
            f'check_dataset: expected a data set whose annotations have '
            f'COCO\'s layout, or an MpiiDataset, got {name!r} for {split}; '
            'check its files with a script of your own')
    try:
        return DATASETS.build(dict(config, lazy_init=True))
    except (AssertionError, KeyError, OSError, TypeError, ValueError) as err:
        raise ValueError(f'check_dataset: expected a {name} that can be '
                         f'built for {split}, got {err}') from err


def _is_known(kind: type) -> bool:
    if not issubclass(kind, BaseCocoStyleDataset):
        return False
    reads = (kind._load_annotations, kind.load_data_list)
    return reads in [(known._load_annotations, known.load_data_list)
                     for known in (BaseCocoStyleDataset, MpiiDataset)]


def _needs_area(evaluators) -> bool:
    if not isinstance(evaluators, (list, tuple)):
        evaluators = [evaluators or {}]
    return any(
        type_name(evaluator) == 'CocoMetric'
        and evaluator.get('use_area', True) for evaluator in evaluators)
