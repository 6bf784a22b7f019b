"""Instances that are cropped to the input of a network, without images."""
from typing import List, NamedTuple

import numpy as np
from mmengine.dataset import Compose
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from srpose_mm.configs import type_name

from .sources import Source

# MPII's names of the ends of a head.
HEAD = ('upper_neck', 'head_top')


class Crops(NamedTuple):
    """N cropped instances.

    Attributes:
        samples: Samples of MMPose's pipeline, N of them.
        keypoints: Keypoints in shape (N, K, 2), in image px.
        inputs: The same keypoints in input px.
        labelled: Whether a keypoint is labelled, in shape (N, K).
        centers: Centers of the crops in shape (N, 1, 2), in image px.
        scales: (w, h) of the crops in shape (N, 1, 2), in image px.
        head_sizes: Whether head sizes were computed from keypoints.
    """

    samples: List[PoseDataSample]
    keypoints: np.ndarray
    inputs: np.ndarray
    labelled: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    head_sizes: bool

    @property
    def inside(self) -> np.ndarray:
        """Return whether keypoints are in their crop, in shape (N, K)."""
        distances = np.abs(self.keypoints - self.centers)
        return (distances < 0.5 * self.scales).all(axis=-1)

    @property
    def counted(self) -> np.ndarray:
        """Return whether keypoints are labelled and in their crop."""
        return self.labelled & self.inside

    def into_image(self, decoded: np.ndarray) -> np.ndarray:
        """Transform keypoints into the image as MMPose's estimator does.

        Args:
            decoded: The M counted keypoints in shape (M, 2), in input px.

        Returns:
            The same in image px. Errors are measured there, because the
            estimator's way into the image is not the inverse of UDP's crop.
        """
        index = np.nonzero(self.counted)[0]
        scales, centers = self.scales[index, 0], self.centers[index, 0]
        size = self.samples[0].input_size
        return decoded / size * scales + centers - 0.5 * scales

    def predict(self, keypoints: np.ndarray,
                scores: np.ndarray) -> List[PoseDataSample]:
        """Return the samples with predictions.

        Other keypoints are predicted at the nearest place in the crop, with a
        score of 0.

        Args:
            keypoints: The M counted keypoints in shape (M, 2), in image px.
            scores: Their scores in shape (M, ).
        """
        counted, half = self.counted, 0.5 * self.scales
        points = self.keypoints.clip(self.centers - half, self.centers + half)
        values = np.zeros(counted.shape, dtype=np.float32)
        points[counted], values[counted] = keypoints, scores
        for index, sample in enumerate(self.samples):
            sample.pred_instances = InstanceData(
                keypoints=points[index, None],
                keypoint_scores=values[index, None],
                bboxes=sample.gt_instances.bboxes,
                bbox_scores=sample.gt_instances.bbox_scores)
        return self.samples


def crop(source: Source, use_udp: bool) -> Crops:
    """Crop the instances of a source as its pipeline does.

    Args:
        source: The source.
        use_udp: Whether pixels are mapped as by UDP.
    """
    changes = dict(
        TopdownAffine=dict(use_udp=use_udp),
        PackPoseInputs=dict(pack_transformed=True))
    pipeline = Compose([
        dict(step, **changes.get(type_name(step), {}))
        for step in source.pipeline if type_name(step) != 'LoadImage'
    ])
    samples, head_sizes = [], False
    for instance in source.instances:
        # The transforms depend on the box, not on the image.
        image = np.zeros((1, 1, 3), np.uint8)
        sample = pipeline(dict(instance, img=image))['data_samples']
        head_sizes |= _add_head_size(sample, source.keypoint_ids)
        samples.append(sample)
    truths = [sample.gt_instances for sample in samples]
    return Crops(
        samples,
        keypoints=np.concatenate([t.keypoints for t in truths]),
        inputs=np.concatenate([t.transformed_keypoints for t in truths]),
        labelled=np.concatenate([t.keypoints_visible for t in truths]) >= 0.5,
        centers=np.stack([[s.input_center] for s in samples]),
        scales=np.stack([[s.input_scale] for s in samples]),
        head_sizes=head_sizes)


def _add_head_size(sample: PoseDataSample, keypoint_ids: dict) -> bool:
    """Add the head size that PCKh needs, and return whether it was missing."""
    truth = sample.gt_instances
    if 'head_size' in truth or not set(HEAD) <= set(keypoint_ids):
        return False
    ends = [keypoint_ids[name] for name in HEAD]
    neck, top = truth.keypoints[0, ends]
    # MMPose leaves out instances whose size is 0.
    known = (truth.keypoints_visible[0, ends] >= 0.5).all()
    size = np.linalg.norm(top - neck) if known else 0.
    truth.head_size = np.full((1, 1), size, dtype=np.float32)
    return True
