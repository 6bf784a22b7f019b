"""The keypoints to encode: of a config's dataset, of a file, or random."""
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple, Union

import numpy as np
from mmengine.config import Config
from mmengine.evaluator import Evaluator
from mmpose.registry import DATASETS

from srpose_mm.configs import ConfigLike, init_scope, load_config, type_name

# Random keypoints keep this distance in px from the border of the input,
# where rounding clamps and refinements lack neighbors.
MARGIN = 32


class Source(NamedTuple):
    """Annotated instances, and how to crop and score them.

    Attributes:
        name: Name in the report.
        instances: Data of each instance as MMPose loads them.
        pipeline: Configs of the transforms.
        codec: Config of a codec to compare with the others.
        evaluator: Evaluator of predictions.
        keypoint_ids: Names of the keypoints to their indices.
    """

    name: str
    instances: List[dict]
    pipeline: List[dict]
    codec: Optional[dict] = None
    evaluator: Optional[Evaluator] = None
    keypoint_ids: Dict[str, int] = {}

    @property
    def input_size(self) -> Tuple[int, int]:
        """Return (w, h) of the input, in px."""
        steps = {type_name(step): step for step in self.pipeline}
        return tuple(steps['TopdownAffine']['input_size'])


def config_source(config: ConfigLike,
                  cfg_options: Optional[Dict[str, Any]] = None) -> Source:
    """Return the validation data, the evaluators and the codec of a config.

    The boxes are the annotated ones, each once, so that :class:`CocoMetric`
    has nothing to suppress.

    Args:
        config: A top-down config, or an argument of :func:`locate_config`.
        cfg_options: Options of the config.

    Raises:
        FileNotFoundError: If the config or its dataset does not exist.
        ValueError: If the config is not a top-down one with data.
    """
    cfg = load_config(config)
    cfg.merge_from_dict(cfg_options or {})
    data = (cfg.get('val_dataloader') or {}).get('dataset') or {}
    pipeline = data.get('pipeline') or []
    if 'TopdownAffine' not in map(type_name, pipeline):
        raise ValueError('expected a top-down config, with TopdownAffine in '
                         'the pipeline of its val_dataloader, got '
                         f'{cfg.filename}')
    init_scope(cfg)
    # The evaluators and readers print, and results go to standard output.
    with redirect_stdout(sys.stderr):
        dataset = _build_dataset(cfg, data)
        metrics = cfg.get('val_evaluator') or []
        metrics = metrics if isinstance(metrics, list) else [metrics]
        # The suppression compares unlabelled keypoints as well.
        evaluator = Evaluator([
            dict(metric, nms_mode='none') if type_name(metric) == 'CocoMetric'
            else metric for metric in metrics
        ])
    evaluator.dataset_meta = dataset.metainfo
    instances = [dataset[index] for index in range(len(dataset))]
    head = cfg.model.get('head') or {}
    return Source(
        Path(cfg.filename or 'config').stem, instances, pipeline,
        head.get('decoder'), evaluator if metrics else None,
        dataset.metainfo['keypoint_name2id'])


def _build_dataset(cfg: Config, data: dict):
    data = dict(data, pipeline=[])
    if data.get('bbox_file'):
        data['bbox_file'] = None
    try:
        return DATASETS.build(data)
    # MMPose asserts that files exist.
    except (AssertionError, FileNotFoundError) as err:
        raise FileNotFoundError(
            f'expected the dataset of {cfg.filename}, got: {err}; link it '
            'below data/, or name its folder with --cfg-options '
            'val_dataloader.dataset.data_root=PATH') from err


def annotation_source(ann_file: Union[str, Path],
                      input_size: Tuple[int, int]) -> Source:
    """Return the annotations of a file in COCO's format.

    Args:
        ann_file: The file.
        input_size: (w, h) of the input, in px.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    dataset = dict(
        type='CocoDataset', ann_file=str(ann_file), pipeline=_pipeline(
            input_size))
    cfg = Config(dict(model={}, val_dataloader=dict(dataset=dataset)))
    return config_source(cfg)._replace(name=Path(ann_file).stem)


def random_source(number: int, input_size: Tuple[int, int],
                  seed: int = 0) -> Source:
    """Return random instances of one keypoint, whose box is the input.

    Args:
        number: Number of instances.
        input_size: (w, h) of the input, in px.
        seed: Seed of the keypoints, which are uniform in the input at least
            ``MARGIN`` px from its border.

    Raises:
        ValueError: If ``number`` is not positive or the input is too small.
    """
    if number < 1 or min(input_size) <= 2 * MARGIN:
        raise ValueError(
            f'expected at least 1 random keypoint and an input above '
            f'{2 * MARGIN} px, got {number} and {tuple(input_size)}')
    size = np.array(input_size, dtype=np.float32)
    points = np.random.default_rng(seed).uniform(
        MARGIN, size - MARGIN, (number, 1, 1, 2)).astype(np.float32)
    instances = [
        dict(
            bbox=np.array([[0, 0, *size]], dtype=np.float32),
            bbox_score=np.ones(1, dtype=np.float32),
            keypoints=point,
            keypoints_visible=np.ones((1, 1), dtype=np.float32))
        for point in points
    ]
    return Source('random keypoints', instances,
                  _pipeline(input_size, padding=1.))


def _pipeline(input_size: Tuple[int, int],
              padding: float = 1.25) -> List[dict]:
    return [
        dict(type='GetBBoxCenterScale', padding=padding),
        dict(type='TopdownAffine', input_size=tuple(input_size)),
        dict(type='PackPoseInputs')
    ]
