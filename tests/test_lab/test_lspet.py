"""Parts of the study on photographs of athletes."""
import numpy as np
import pytest
import torch

from lab.experiments.lspet.modules import LinearLowResolutionNeck, TorsoPCK


def sample(keypoints, truth, visible):
    return dict(
        pred_instances=dict(keypoints=np.array([keypoints], float)),
        gt_instances=dict(
            keypoints=np.array([truth], float),
            keypoints_visible=np.array([visible], float)))


@pytest.fixture
def metric():
    return TorsoPCK(thr=0.2, torso=(0, 2), prefix='torso')


def test_distances_are_in_torsos(metric):
    """With a torso of 10 px, 2 px are correct and 2.1 px are not."""
    truth = [[0, 0], [5, 5], [10, 0], [50, 50]]
    metric.process(None, [
        sample([[0, 2], [5, 7.1], [10, 0], [0, 0]], truth, [1, 1, 1, 0])
    ])
    assert metric.evaluate(1) == {'torso/PCK': pytest.approx(2 / 3)}


def test_instances_without_torso_are_left_out(metric):
    truth = [[0, 0], [5, 5], [10, 0]]
    metric.process(None, [
        sample(truth, truth, [1, 1, 1]),
        sample([[9, 9]] * 3, truth, [0, 1, 1])
    ])
    assert metric.evaluate(2) == {'torso/PCK': 1.}


def test_low_resolution_map_has_no_relu():
    neck = LinearLowResolutionNeck((8, 4), 3, (4, 4))
    lr = neck([torch.randn(1, 4, 8, 8), torch.randn(1, 8, 4, 4)])[0]
    assert (lr < 0).any()
