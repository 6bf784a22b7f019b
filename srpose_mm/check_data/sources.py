"""Datasets that a config names, and the JSON files that they read."""
import json
import traceback
from pathlib import Path
from typing import Any, Iterator, List, Optional, Sequence, Tuple, Union

from mmengine.config import Config
from mmengine.utils import is_list_of
from mmpose.datasets.datasets import MpiiDataset
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from mmpose.registry import DATASETS

from ..configs import type_name

SPLITS = ('train', 'val', 'test')
READERS = [(kind._load_annotations, kind.load_data_list)
           for kind in (BaseCocoStyleDataset, MpiiDataset)]


class DataSource:
    """A dataset that a config names, which has not read its files.

    Args:
        config: Config of the dataset, without a pipeline.
        pipeline: Configs of its transforms, then of those of its wrappers.
        metrics: Configs of the metrics that score it.
        outer: Metainfo of a CombinedDataset around it.
    """

    def __init__(self, config: dict, pipeline: List[dict],
                 metrics: List[dict], outer: Optional[dict]):
        self.config, self.pipeline, self.metrics = config, pipeline, metrics
        self.splits: List[str] = []
        self.dataset, self.metainfo = _build(config, outer)
        self.bottom_up = self.dataset.data_mode == 'bottomup'
        # A parser of its own may read other keypoints and boxes.
        self.own_parser = (
            type(self.dataset).parse_data_info
            is not BaseCocoStyleDataset.parse_data_info)
        # Without a wrapper, the metainfo describes the converted keypoints.
        self.converter = None if outer else self.step('KeypointConverter')

    def step(self, name: str) -> Optional[dict]:
        """Return the first transform whose class name contains ``name``."""
        return next(
            (step for step in self.pipeline if name in type_name(step)), None)

    def coco_metrics(self, **options: Any) -> List[dict]:
        """Return the metrics that read COCO annotations with some options."""
        return [
            metric for metric in self.metrics
            if type_name(metric) in ('CocoMetric', 'CocoWholeBodyMetric')
            and options.items() <= {'use_area': True, **metric}.items()
        ]


def find_sources(cfg: Config,
                 splits: Optional[Sequence[str]] = None) -> List[DataSource]:
    """Return the datasets of data loaders; equal ones share an entry."""
    known = [split for split in SPLITS if cfg.get(f'{split}_dataloader')]
    for split in splits or known or ['any']:
        if split not in known:
            raise ValueError(
                'expected splits whose data loaders are in the config, got '
                f'{split!r}; it has {", ".join(known) or "none"}')
    arguments, sources = [], []
    for split in splits or known:
        for config, pipeline, outer in _unwrap(
                cfg[f'{split}_dataloader'].get('dataset', {})):
            metrics = _metrics(
                cfg.get(f'{split}_evaluator') or [], type_name(config))
            args = config, pipeline, metrics, outer
            if args not in arguments:
                arguments.append(args)
                sources.append(DataSource(*args))
            sources[arguments.index(args)].splits.append(split)
    return sources


class UnreadableFileError(Exception):
    """Error of a file that has not the expected structure."""


def read_json(path: str, kind: type = list) -> Any:
    """Return the content of a JSON file: a dict, or a list of dicts.

    Raises:
        UnreadableFileError: If the file has other content; with the reason
            and the path.
    """
    try:
        content = json.loads(Path(path).read_text('utf-8'))
    except OSError as err:
        raise UnreadableFileError(err.strerror, path) from err
    except (ValueError, RecursionError) as err:
        raise UnreadableFileError(f'invalid JSON, {err}', path) from err
    if kind is dict and not isinstance(content, dict):
        raise UnreadableFileError(
            'expected a dict with images, annotations and categories', path)
    if kind is list and not is_list_of(content, dict):
        raise UnreadableFileError('expected a list of dicts', path)
    return content


def _unwrap(config: dict, pipeline: Sequence[dict] = (),
            outer: Optional[dict] = None) -> Iterator[tuple]:
    """Yield config, pipeline and outer metainfo of datasets in wrappers."""
    config = dict(config)
    pipeline = [*config.pop('pipeline', []), *pipeline]
    inner = config.get('datasets') or [config.get('dataset')]
    if inner == [None]:
        yield config, pipeline, outer
        return
    for part in inner:
        yield from _unwrap(part, pipeline, config.get('metainfo', outer))


def _metrics(evaluators: Union[dict, List[dict]], name: str) -> List[dict]:
    """Return the metrics that score the samples of a class of dataset."""
    metrics = []
    for evaluator in _as_list(evaluators):
        inner = _as_list(evaluator.get('metrics', evaluator))
        # MultiDatasetEvaluator has one metric for each class.
        scored = [type_name(part) for part in evaluator.get('datasets', [])]
        metrics += [metric for metric, part in zip(
            inner, scored or [name] * len(inner)) if part == name]
    return metrics


def _as_list(value: Union[dict, List[dict]]) -> List[dict]:
    return [value] if isinstance(value, dict) else list(value)


def _build(config: dict, outer: Optional[dict]
           ) -> Tuple[BaseCocoStyleDataset, dict]:
    """Return a dataset and the metainfo for flips and metrics."""
    name, kind = type_name(config), config.get('type')
    kind = DATASETS.get(kind) if isinstance(kind, str) else kind
    if (getattr(kind, '_load_annotations', None),
            getattr(kind, 'load_data_list', None)) not in READERS:
        raise ValueError(
            'expected a COCO-style dataset or an MpiiDataset, got '
            f'{name!r}; check its files with a script of your own')
    try:
        dataset = DATASETS.build(dict(config, lazy_init=True))
        return dataset, (
            parse_pose_metainfo(outer) if outer else dataset.metainfo)
    except (AssertionError, AttributeError, KeyError, OSError, TypeError,
            ValueError) as err:
        # MMPose asserts the keys of metainfo without a message.
        reason = str(err) or traceback.extract_tb(err.__traceback__)[-1].line
        raise ValueError(f'expected a {name} that can be built, got '
                         f'{type(err).__name__}: {reason}') from err
