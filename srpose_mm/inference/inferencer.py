from copy import deepcopy
from functools import partial
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import mmcv
import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.device import get_device
from mmengine.model import revert_sync_batchnorm
from mmengine.registry import DefaultScope
from mmengine.structures import InstanceData
from mmpose.apis import Pose2DInferencer, init_model
from mmpose.evaluation.functional import nms
from mmpose.models import BottomupPoseEstimator, TopdownPoseEstimator
from mmpose.structures import PoseDataSample, merge_data_samples
from mmpose.visualization import PoseLocalVisualizer
from torch import nn

from ..checkpoints import load_weights
from ..configs import ConfigLike, input_channels, load_config
from ..console import get_logger
from ..datasets.utils import keypoint_names
from .files import PathLike, SkippedFile

OUT_OF_MEMORY = ('out of memory', 'allocate memory', 'not enough memory')


class KeypointVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer for every version of numpy.

    ``PoseLocalVisualizer`` passes each radius as an array (1, ), which its
    OpenCV backend converts by ``int``. numpy 2.4 refuses that conversion.
    """

    def draw_circles(self, center: np.ndarray, radius: np.ndarray,
                     **kwargs) -> None:
        """Draw a circle at ``center`` (2, ) in image px."""
        super().draw_circles(center, np.squeeze(radius), **kwargs)


class PoseInferencer(Pose2DInferencer):
    """MMPose's inferencer for all models of this package and of MMPose.

    Differences from ``Pose2DInferencer``: weights that are missing or not
    finite are an error; without a detector the image is one instance; if a
    detector detects nothing, the image has no instance; bottom-up heads keep
    the thresholds of the config; batches are bounded; images are arrays.
    """
    detector = None

    def __init__(self,
                 config: ConfigLike,
                 checkpoint: PathLike,
                 device: Optional[str] = None,
                 cfg_options: Optional[dict] = None,
                 det_config: Optional[ConfigLike] = None,
                 det_checkpoint: Optional[PathLike] = None,
                 det_classes: Sequence[str] = ('person', ),
                 batch_size: int = 32) -> None:
        if (det_config is None) != (det_checkpoint is None):
            raise ValueError('expected det_config and det_checkpoint '
                             'together, got one of them; give both')
        if batch_size < 1:
            raise ValueError(
                f'expected batch_size to be at least 1, got {batch_size}')
        self.batch_size = batch_size
        cfg = deepcopy(load_config(config))
        cfg.merge_from_dict(cfg_options or {})
        # Without a device, the base class leaves the detector on the CPU.
        super().__init__(cfg, checkpoint, device or get_device(), 'mmpose',
                         det_config, det_checkpoint, det_classes)
        if det_config is not None and self.detector is None:
            raise ValueError('expected no det_config for a bottom-up model, '
                             'which needs no boxes; leave it out')
        self.visualizer.set_dataset_meta(output_metainfo(self.model))
        loader = self.pipeline.transforms[0]
        color = getattr(loader, 'color_type', 'color')
        self.load_options = dict(
            color_type=color,
            imdecode_backend=getattr(loader, 'imdecode_backend', None))
        self.is_gray = color != 'color' and input_channels(self.cfg) == 1

    def preprocess(self,
                   inputs: List[np.ndarray],
                   batch_size: int = 1,
                   bboxes: Optional[List[np.ndarray]] = None,
                   bbox_thr: float = 0.3,
                   nms_thr: float = 0.3) -> Iterator[tuple]:
        """Yield the crops of each BGR image, and the image.

        ``bboxes`` has for each image N boxes (N, 4), xyxy in image px.
        """
        for number, image in enumerate(inputs):
            pixels = mmcv.bgr2gray(image) if self.is_gray else image
            info = dict(self.model.dataset_meta, img=pixels, img_path='')
            if self.cfg.data_mode == 'bottomup':
                crops = [self.pipeline(info)]
            else:
                boxes = np.float32([[0, 0, *image.shape[1::-1], 1]])
                if bboxes is not None:
                    boxes = np.insert(bboxes[number], 4, 1, axis=1)
                elif self.detector is not None:
                    boxes = self._detect(image, bbox_thr, nms_thr)
                crops = [
                    self.pipeline(
                        dict(info, bbox=box[None, :4], bbox_score=box[4:]))
                    for box in boxes
                ]
            yield crops, [image]

    @torch.no_grad()
    def forward(self, inputs: List[dict], **kwargs) -> List[PoseDataSample]:
        """Return one sample with all instances of an image.

        Raises:
            RuntimeError: If a batch does not fit into memory.
            SkippedFile: If the model predicts NaN or infinity.
        """
        samples = []
        for start in range(0, len(inputs), self.batch_size):
            batch = self.collate_fn(inputs[start:start + self.batch_size])
            try:
                samples += self.model.test_step(batch)
            except RuntimeError as err:
                if not any(text in str(err) for text in OUT_OF_MEMORY):
                    raise
                raise RuntimeError(
                    f'out of memory with a batch of {len(batch["inputs"])} '
                    'boxes; set a smaller batch_size (--batch-size) or '
                    'another device (--device cpu)') from err
        if not samples:
            shape = 0, len(keypoint_names(output_metainfo(self.model)))
            empty = InstanceData(
                keypoints=np.zeros((*shape, 2), np.float32),
                keypoint_scores=np.zeros(shape, np.float32),
                bboxes=np.zeros((0, 4), np.float32),
                bbox_scores=np.zeros(0, np.float32))
            metainfo = dict(img_path='')
            return [PoseDataSample(metainfo=metainfo, pred_instances=empty)]
        if self.cfg.data_mode == 'topdown':
            samples = [merge_data_samples(samples)]
        samples[0].pred_instances = _complete(samples[0].pred_instances)
        return samples

    def _init_model(self, cfg: Config, weights: PathLike,
                    device: str) -> nn.Module:
        model = init_model(cfg, None, device)
        is_bottom_up = isinstance(model, BottomupPoseEstimator)
        if not is_bottom_up and not isinstance(model, TopdownPoseEstimator):
            raise TypeError(
                'expected the model of config to be a TopdownPoseEstimator or '
                f'a BottomupPoseEstimator, got {type(model).__name__}')
        cfg.data_mode = 'bottomup' if is_bottom_up else 'topdown'
        meta = load_weights(model, weights).get('meta') or {}
        model.dataset_meta = meta.get('dataset_meta') or model.dataset_meta
        get_logger().info(f'weights of {str(weights)!r} loaded')
        return model

    def _init_collate(self, cfg: Config) -> Callable:
        return pseudo_collate

    def _init_visualizer(self, cfg: Config) -> KeypointVisualizer:
        # The config's visualizer could write files.
        return KeypointVisualizer()

    def _init_detector(self, det_model: Optional[ConfigLike],
                       det_weights: Optional[PathLike],
                       det_cat_ids: Sequence[str], device: str) -> None:
        if det_model is None:
            return
        try:
            from mmdet.apis import inference_detector
            from mmdet.evaluation import get_classes
            from mmdet.registry import MODELS
        except ImportError as err:
            raise ImportError('a detector needs MMDetection; '
                              'pip install mmdet') from err
        cfg = deepcopy(load_config(det_model))
        # Afterwards the default scope is MMPose's again.
        with DefaultScope.overwrite_default_scope('mmdet'):
            model = revert_sync_batchnorm(MODELS.build(cfg.model))
        model.cfg = cfg
        meta = load_weights(model, det_weights).get('meta') or {}
        meta = meta.get('dataset_meta') or cfg.test_dataloader.dataset.get(
            'metainfo') or meta
        # MMDetection 2 wrote CLASSES.
        classes = list(
            meta.get('classes') or meta.get('CLASSES') or get_classes('coco'))
        unknown = [name for name in det_cat_ids if name not in classes]
        if unknown or not det_cat_ids:
            raise ValueError(
                'expected det_classes to be some of the detector\'s classes '
                f'{", ".join(classes)}; got {unknown or "none"}')
        self.det_cat_ids = [classes.index(name) for name in det_cat_ids]
        self.detector = partial(inference_detector, model.to(device).eval())

    def _detect(self, image: np.ndarray, bbox_thr: float,
                nms_thr: float) -> np.ndarray:
        """Return boxes (N, 5): xyxy in image px and a score."""
        with DefaultScope.overwrite_default_scope('mmdet'):
            boxes = self.detector(image).pred_instances.cpu().numpy()
        has_area = (boxes.bboxes[:, 2:] > boxes.bboxes[:, :2]).all(axis=1)
        boxes = boxes[has_area & (boxes.scores > bbox_thr)
                      & np.isin(boxes.labels, self.det_cat_ids)]
        boxes = np.column_stack([boxes.bboxes, boxes.scores])
        return boxes[nms(boxes, nms_thr)]


def output_indices(model: nn.Module) -> Optional[List[int]]:
    """Return the channels that become keypoints, or None for all."""
    # MMPose's bottom-up estimators ignore the setting.
    if isinstance(model, BottomupPoseEstimator):
        return None
    return model.test_cfg.get('output_keypoint_indices')


def output_metainfo(model: nn.Module) -> Dict[str, Any]:
    """Return the metainfo of the keypoints that a model predicts.

    The model's ``dataset_meta`` can describe all channels instead.
    """
    meta, indices = model.dataset_meta, output_indices(model)
    names, links = meta['keypoint_id2name'], meta['skeleton_links']
    if indices is None or len(indices) == len(names):
        return meta
    new = {index: number for number, index in enumerate(indices)}
    kept = [i for i, link in enumerate(links) if new.keys() >= set(link)]
    return dict(
        meta,
        keypoint_id2name={new[index]: names[index] for index in indices},
        keypoint_colors=meta['keypoint_colors'][list(indices)],
        skeleton_links=[[new[end] for end in links[i]] for i in kept],
        skeleton_link_colors=meta['skeleton_link_colors'][kept])


def _complete(instances: InstanceData) -> InstanceData:
    """Add boxes and scores, which some bottom-up models do not predict."""
    instances = instances.numpy()
    if 'bboxes' not in instances:
        points = instances.keypoints[..., :2]
        instances.bboxes = np.hstack([points.min(axis=1), points.max(axis=1)])
    if 'bbox_scores' not in instances:
        instances.bbox_scores = instances.keypoint_scores.mean(axis=1)
    for key in ('keypoints', 'keypoint_scores', 'bboxes', 'bbox_scores'):
        if not np.isfinite(instances[key]).all():
            raise SkippedFile('the model predicts numbers that are not finite')
    return instances
