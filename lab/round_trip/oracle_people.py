from typing import List, NamedTuple, Tuple

import numpy as np
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from mmpose.registry import DATASETS
from mmpose.structures import PoseDataSample

from srpose_mm.configs import type_name

from .quantization_people import into_image

# MPII's names for the ends of a head.
HEAD = ('upper_neck', 'head_top')


class People(NamedTuple):
    """N annotated people that are cropped to the network's input.

    Attributes:
        samples: What MMPose's pipeline packs, N of them.
        keypoints: Keypoints in shape (N, K, 2), in image px.
        inputs: The same in input px.
        labelled: Which are labelled, in shape (N, K).
        centers: Centres of the crops in shape (N, 1, 2), in image px.
        scales: (w, h) of the crops in shape (N, 1, 2), in image px.
        input_size: (w, h) of the input, in px.
        head_sizes: Whether sizes of heads were taken from keypoints.
    """

    samples: List[PoseDataSample]
    keypoints: np.ndarray
    inputs: np.ndarray
    labelled: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    input_size: Tuple[int, int]
    head_sizes: bool

    @property
    def inside(self) -> np.ndarray:
        """Which keypoints lie in the crop, in shape (N, K)."""
        distances = np.abs(self.keypoints - self.centers)
        return (distances < 0.5 * self.scales).all(axis=-1)

    @property
    def counted(self) -> np.ndarray:
        """Which are labelled and in the crop, M of them, shape (N, K)."""
        return self.labelled & self.inside

    def errors(self, decoded: np.ndarray) -> np.ndarray:
        """Distances of decoded keypoints from the true ones.

        Args:
            decoded: The M that count, in shape (M, 2), in input px.

        Returns:
            Distances in shape (2, M): in input px and in image px.
        """
        counted = self.counted
        distances = np.linalg.norm(
            self._into_image(decoded) - self.keypoints, axis=-1)
        # The crop has the input's aspect ratio.
        inputs = distances * self.input_size[0] / self.scales[..., 0]
        return np.stack([inputs[counted], distances[counted]])

    def predicted(self, decoded: np.ndarray,
                  scores: np.ndarray) -> List[PoseDataSample]:
        """Samples with predictions, as MMPose's estimators give them.

        Args:
            decoded: The keypoints that count, in shape (M, 2), in input px.
            scores: Their scores in shape (M, ).
        """
        counted = self.counted
        all_scores = np.zeros(counted.shape, dtype=np.float32)
        all_scores[counted] = scores
        keypoints = np.where(counted[..., None], self._into_image(decoded),
                             self._within_crops())
        return self._with_predictions(keypoints, all_scores)

    def predicted_exactly(self) -> List[PoseDataSample]:
        """Samples whose predictions are the annotations, within the crops."""
        return self._with_predictions(self._within_crops(),
                                      self.counted.astype(np.float32))

    def _within_crops(self) -> np.ndarray:
        half = 0.5 * self.scales
        return self.keypoints.clip(self.centers - half, self.centers + half)

    def _into_image(self, decoded: np.ndarray) -> np.ndarray:
        inputs = np.zeros_like(self.inputs)
        inputs[self.counted] = decoded
        return into_image(inputs, self.input_size, self.centers, self.scales)

    def _with_predictions(self, keypoints: np.ndarray,
                          scores: np.ndarray) -> List[PoseDataSample]:
        for sample, points, values in zip(self.samples, keypoints, scores):
            sample.pred_instances = InstanceData(
                keypoints=points[None],
                keypoint_scores=values[None],
                bboxes=sample.gt_instances.bboxes,
                bbox_scores=sample.gt_instances.bbox_scores)
        return self.samples


def load_dataset(cfg: Config) -> BaseDataset:
    """The data set that a config validates on, with the annotated boxes.

    Args:
        cfg: A config.

    Returns:
        The data set, without a pipeline.

    Raises:
        FileNotFoundError: If its files are not there.
        ValueError: If it has none, or not one of single people.
    """
    dataset = (cfg.get('val_dataloader') or {}).get('dataset')
    if not dataset or not cfg.get('val_evaluator'):
        raise ValueError('oracle: expected a config with val_dataloader and '
                         'val_evaluator, got one without')
    if 'TopdownAffine' not in map(type_name, dataset.get('pipeline') or []):
        raise ValueError('oracle: expected a top-down config, whose '
                         'val_dataloader has TopdownAffine in its pipeline, '
                         f'got {cfg.filename}')
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    own = dict(dataset, pipeline=[])
    if own.get('bbox_file'):
        own['bbox_file'] = None
    try:
        return DATASETS.build(own)
    # MMPose asserts that files are there.
    except (AssertionError, FileNotFoundError) as err:
        raise FileNotFoundError(
            f'oracle: expected the data set of {cfg.filename}, got: {err}; '
            'link it below data/, or say where it is with --cfg-options '
            'val_dataloader.dataset.data_root=PATH') from err


def crop_dataset(cfg: Config, dataset: BaseDataset, use_udp: bool) -> People:
    """Crop people as the config's pipeline does, without their images.

    Args:
        cfg: The config.
        dataset: What :func:`load_dataset` gave.
        use_udp: Whether pixels map as in UDP.

    Returns:
        The people.
    """
    steps = []
    for step in cfg.val_dataloader.dataset.pipeline:
        if type_name(step) == 'TopdownAffine':
            step = dict(step, use_udp=use_udp)
        if type_name(step) == 'PackPoseInputs':
            step = dict(step, pack_transformed=True)
        if type_name(step) != 'LoadImage':
            steps.append(step)
    pipeline = Compose(steps)
    samples, head_sizes = [], False
    for index in range(len(dataset)):
        # Affine maps are computed of boxes, whatever the image is.
        person = dict(dataset[index], img=np.zeros((1, 1, 3), np.uint8))
        sample = pipeline(person)['data_samples']
        head_sizes |= _add_head_size(sample, dataset.metainfo)
        samples.append(sample)
    people = [sample.gt_instances for sample in samples]
    return People(
        samples,
        keypoints=np.concatenate([p.keypoints for p in people]),
        inputs=np.concatenate([p.transformed_keypoints for p in people]),
        labelled=np.concatenate([p.keypoints_visible for p in people]) >= 0.5,
        centers=np.stack([[s.input_center] for s in samples]),
        scales=np.stack([[s.input_scale] for s in samples]),
        input_size=tuple(samples[0].input_size),
        head_sizes=head_sizes)


def _add_head_size(sample: PoseDataSample, metainfo: dict) -> bool:
    """Whether a size that PCKh asks for had to be taken from keypoints."""
    names = metainfo['keypoint_name2id']
    instance = sample.gt_instances
    if 'head_size' in instance or not set(HEAD) <= set(names):
        return False
    ends = [names[name] for name in HEAD]
    neck, top = instance.keypoints[0, ends]
    # MMPose leaves out people whose size is 0.
    known = (instance.keypoints_visible[0, ends] >= 0.5).all()
    size = np.linalg.norm(top - neck) if known else 0.
    instance.head_size = np.full((1, 1), size, dtype=np.float32)
    return True
