"""Load pose estimators and detectors without trust, and run them."""
import copy
from collections import OrderedDict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Callable, Optional

import numpy as np
import torch
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.apis import inference_bottomup, inference_topdown, init_model
from mmpose.evaluation.functional import nms
from mmpose.models.pose_estimators import (
    BottomupPoseEstimator,
    TopdownPoseEstimator,
)
from mmpose.structures import PoseDataSample, merge_data_samples
from torch import nn

from ..checkpoints.safe_checkpoint import check_input, load_checkpoint
from ..configs import ConfigLike, load_config
from .predict_files import PathLike, SkippedFile
from .predict_sources import refuse_url

OWNER = 'predict'


def load_estimator(config: ConfigLike,
                   checkpoint: PathLike,
                   device: str,
                   cfg_options: Optional[dict] = None,
                   owner: str = OWNER) -> nn.Module:
    """Load a pose estimator as :func:`mmpose.apis.init_model` does.

    Args:
        config: As for :func:`predict`.
        checkpoint: As for :func:`predict`.
        device: Where to run.
        cfg_options: Changes of the config.
        owner: What messages of errors start with.

    Returns:
        The model.

    Raises:
        FileNotFoundError: If a file is not there.
        TypeError: If the model is neither top-down nor bottom-up.
        ValueError: If the checkpoint is damaged, could run code or belongs
            to another model, or has weights that are not finite.
    """
    model = _load(init_model, config, checkpoint, 'checkpoint', device,
                  owner, cfg_options)
    if not isinstance(model, (TopdownPoseEstimator, BottomupPoseEstimator)):
        raise TypeError(
            f'{owner}: expected config to have a TopdownPoseEstimator or a '
            f'BottomupPoseEstimator, got {type(model).__name__}')
    return model


def find_people(model: nn.Module,
                image: np.ndarray,
                detector: Optional['PersonDetector'] = None) -> PoseDataSample:
    """Predict the people of one image.

    Args:
        model: A model of :func:`load_estimator`.
        image: BGR values in shape (h, w, 3).
        detector: Finds the boxes of a top-down model; without it the whole
            image is one.

    Returns:
        A sample whose ``pred_instances`` has for N people keypoints
        (N, K, 2) and boxes (N, 4), xyxy, in image px, and scores; no
        ``pred_instances`` where a detector finds nobody.

    Raises:
        SkippedFile: If the model predicts NaN or infinity.
    """
    boxes = None
    if detector is not None:
        boxes = detector(image)
        if not len(boxes):
            return PoseDataSample()
    if isinstance(model, BottomupPoseEstimator):
        sample = inference_bottomup(model, image)[0]
    else:
        sample = merge_data_samples(
            inference_topdown(
                model, image, None if boxes is None else boxes[:, :4]))
    people = sample.pred_instances = sample.pred_instances.numpy()
    if boxes is not None:
        people.bbox_scores = boxes[:, 4]
    _complete(people)
    if not all(np.isfinite(people[key]).all()
               for key in ('keypoints', 'keypoint_scores', 'bboxes',
                           'bbox_scores')):
        raise SkippedFile('the model predicts numbers that are not finite')
    return sample


class PersonDetector:
    """A detector of MMDetection that gives the boxes of people.

    Args:
        config: Its config.
        checkpoint: Its weights.
        device: Where to run.
        bbox_thr: Boxes with this score or a lower one are left out.
        nms_thr: Of two boxes whose IoU is above this, the better one stays.

    Raises:
        ImportError: If MMDetection is not there.
        FileNotFoundError: If a file is not there.
        ValueError: If the checkpoint is damaged, could run code or belongs
            to another model or has weights that are not finite, or if no
            class is called person.
    """

    def __init__(self, config: ConfigLike, checkpoint: PathLike, device: str,
                 bbox_thr: float, nms_thr: float):
        try:
            from mmdet.apis import inference_detector, init_detector
        except ImportError as err:
            raise ImportError(f'{OWNER}: a detector needs MMDetection; '
                              'pip install mmdet') from err
        self._infer = inference_detector
        # mmpose's registries stay those in use outside.
        with DefaultScope.overwrite_default_scope('mmdet'):
            self.model = _load(
                lambda *args, **kwargs: init_detector(
                    *args, palette='coco', **kwargs), config, checkpoint,
                'det_checkpoint', device, OWNER)
        classes = [name.lower() for name in self.model.dataset_meta['classes']]
        if 'person' not in classes:
            raise ValueError(f'{OWNER}: expected det_config to have a class '
                             f'person, got {classes[:5]}')
        self.label = classes.index('person')
        self.bbox_thr, self.nms_thr = bbox_thr, nms_thr

    def __call__(self, image: np.ndarray) -> np.ndarray:
        """Detect people.

        Args:
            image: BGR values in shape (h, w, 3).

        Returns:
            Boxes in shape (N, 5), xyxy in image px and the score.
        """
        with DefaultScope.overwrite_default_scope('mmdet'):
            found = self._infer(self.model, image).pred_instances
        found = found.cpu().numpy()
        boxes = np.concatenate([found.bboxes, found.scores[:, None]], axis=1)
        is_person = found.labels == self.label
        has_area = (boxes[:, 2:4] > boxes[:, :2]).all(axis=1)
        boxes = boxes[is_person & has_area & (boxes[:, 4] > self.bbox_thr)]
        return boxes[nms(boxes, self.nms_thr)]


def _load(init: Callable[..., nn.Module], config: ConfigLike,
          checkpoint: PathLike, what: str, device: str, owner: str,
          cfg_options: Optional[dict] = None) -> nn.Module:
    """Let ``init`` read what is harmless of a checkpoint."""
    refuse_url(checkpoint, what, owner)
    cfg = copy.deepcopy(load_config(config))
    check_input(Path(checkpoint), owner, what)
    contents = load_checkpoint(Path(checkpoint), owner)
    weights = contents['state_dict']
    with TemporaryDirectory(prefix='srpose_mm_') as folder:
        # MMEngine reads without care where torch does, so it gets a copy of
        # what was read with care.
        harmless = str(Path(folder) / 'checkpoint.pth')
        torch.save(
            dict(state_dict=weights, meta=contents.get('meta', {})), harmless)
        model = init(cfg, harmless, device=device, cfg_options=cfg_options)
    _check_weights(model, weights, f'{owner}: {checkpoint}: expected {what}')
    return model


def _check_weights(model: nn.Module, weights: dict, message: str) -> None:
    """Refuse weights of another model, which MMEngine only warns of."""
    state = OrderedDict(
        (_without_wrapper(key), value) for key, value in weights.items())
    # MMPose's heads rename old weights by the version that is in here.
    state._metadata = getattr(weights, '_metadata', OrderedDict())
    try:
        missing = model.load_state_dict(state, strict=False).missing_keys
    except RuntimeError as err:
        reason = ' '.join(str(err).split())[:300]
        raise ValueError(f'{message} to have weights of the config\'s model, '
                         f'got others ({reason})') from err
    lacking = [key for key, _ in model.named_parameters() if key in missing]
    if lacking:
        raise ValueError(
            f'{message} to have all weights of the config\'s model, '
            f'{len(lacking)} are not there, such as {lacking[-1]}')
    for key, value in model.state_dict().items():
        # NaN would make keypoints that look like any other.
        if not torch.isfinite(value).all():
            raise ValueError(f'{message} to have finite weights, got NaN or '
                             f'infinity in {key}; the training went wrong')


def _without_wrapper(key: Any) -> Any:
    """A weight's name without what data parallel training puts before."""
    prefix = 'module.'
    return key[len(prefix):] if str(key).startswith(prefix) else key


def _complete(people: InstanceData) -> None:
    """Add the boxes and scores that bottom-up models do not predict."""
    if 'bboxes' not in people:
        points = people.keypoints[..., :2]
        people.bboxes = np.concatenate([points.min(axis=1),
                                        points.max(axis=1)], axis=1)
    if 'bbox_scores' not in people:
        people.bbox_scores = people.keypoint_scores.mean(axis=1)
