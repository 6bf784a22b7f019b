"""A neck and a metric of this study."""
from typing import Dict, Sequence

import numpy as np
from mmengine.evaluator import BaseMetric
from mmpose.registry import METRICS, MODELS
from torch import nn

from srpose_mm.models import SRPoseNeck


@MODELS.register_module()
class LinearLowResolutionNeck(SRPoseNeck):
    """SRPoseNeck whose low-resolution heatmap has no ReLU.

    Behind the ReLU, a cell below 0 has no gradient, so that the loss of the
    low-resolution heatmap may train few of its cells.

    Args:
        args: Arguments of SRPoseNeck.
        kwargs: The same.
    """

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.lr_head[1] = nn.Identity()


@METRICS.register_module()
class TorsoPCK(BaseMetric):
    """Share of keypoints within a fraction of the torso of their instance.

    MMPose's PCKAccuracy has JHMDB's indices of the torso's ends. Instances
    with an unlabelled end of the torso are left out.

    Args:
        thr: Largest distance of a correct keypoint, in torsos.
        torso: Indices of the two ends of the torso: a shoulder and the
            opposite hip.
        kwargs: Arguments of BaseMetric.
    """

    default_prefix = 'torso'

    def __init__(self, thr: float, torso: Sequence[int], **kwargs):
        super().__init__(**kwargs)
        self.thr, self.torso = thr, list(torso)

    def process(self, data_batch: Sequence[dict],
                data_samples: Sequence[dict]) -> None:
        """Record which labelled keypoints of each instance are correct."""
        for sample in data_samples:
            truth = sample['gt_instances']
            visible = np.asarray(truth['keypoints_visible'])
            visible = visible.reshape(*visible.shape[:2], -1)[..., 0] > 0
            keypoints = np.asarray(truth['keypoints'])
            torsos = np.linalg.norm(
                np.diff(keypoints[:, self.torso], axis=1)[:, 0], axis=-1)
            distances = np.linalg.norm(
                sample['pred_instances']['keypoints'] - keypoints, axis=-1)
            correct = distances <= self.thr * torsos[:, None]
            has_torso = visible[:, self.torso].all(axis=1)
            self.results += list(zip(correct[has_torso], visible[has_torso]))

    def compute_metrics(self, results: list) -> Dict[str, float]:
        """Return the share of correct keypoints among the labelled ones."""
        correct, visible = (np.stack(part) for part in zip(*results))
        return dict(PCK=float(correct[visible].mean()))
