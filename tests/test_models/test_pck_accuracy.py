import pytest
import torch
from mmpose.evaluation.functional import pose_pck_accuracy as stock_accuracy

from srpose_mm.codecs.utils.gaussians import DenseHeatmaps, SeparableHeatmaps
from srpose_mm.models.utils import pose_pck_accuracy


def peaks(points, height=40, width=20):
    """Heatmaps (B, K, H, W) with one peak each; none for (-1, -1)."""
    heatmaps = torch.zeros(*points.shape[:2], height, width)
    for b, sample in enumerate(points):
        for k, (x, y) in enumerate(sample.tolist()):
            if x >= 0:
                heatmaps[b, k, y, x] = 1
    return heatmaps


@pytest.mark.parametrize('visible', [0., 0.5, 1.])
def test_same_as_mmpose(visible):
    generator = torch.Generator().manual_seed(3)
    wanted = torch.randint(0, 20, (6, 9, 2), generator=generator)
    shift = torch.randint(-3, 4, wanted.shape, generator=generator)
    got = (wanted + shift).clamp(0, 19)
    got[0, 0] = -1
    mask = torch.rand(6, 9, generator=generator) < visible
    output, target = peaks(got), peaks(wanted)
    for thr in (0.05, 0.1):
        _, expected, _ = stock_accuracy(
            output.numpy(), target.numpy(), mask.numpy(), thr)
        accuracy = pose_pck_accuracy(output, DenseHeatmaps(target), mask, thr)
        assert accuracy.item() == pytest.approx(expected)
    if visible == 1:
        assert 0.1 < expected < 0.9


def test_separable_targets():
    targets = SeparableHeatmaps(torch.rand(6, 9, 20), torch.rand(6, 9, 40))
    targets.rows[0, 0] = 0
    output = targets.dense() + 0.2 * torch.rand(targets.shape)
    mask = torch.rand(6, 9) < 0.7
    accuracy = pose_pck_accuracy(output, targets, mask)
    assert accuracy == pose_pck_accuracy(
        output, DenseHeatmaps(targets.dense()), mask)
    assert 0.1 < accuracy < 0.9


def test_it_stays_on_the_device():
    """No map is turned into an array: meta tensors hold no data to copy."""
    maps = torch.rand(2, 3, 8, 6, device='meta')
    mask = torch.ones(2, 3, dtype=torch.bool, device='meta')
    accuracy = pose_pck_accuracy(maps, DenseHeatmaps(maps), mask)
    assert accuracy.device.type == 'meta'
