"""The operators of the installed mmcv, against torchvision and shapely."""
import math

import pytest
import torch
import torch.nn.functional as F
from mmcv.ops import (
    DeformConv2d,
    ModulatedDeformConv2d,
    MultiScaleDeformableAttention,
    RoIAlign,
    batched_nms,
    box_iou_rotated,
    nms,
)
from shapely.affinity import rotate
from shapely.geometry import box as rectangle
from torchvision import ops


@pytest.fixture
def boxes():
    corners = torch.rand(60, 2) * 80
    return torch.cat([corners, corners + 5 + torch.rand(60, 2) * 40], dim=1)


def test_nms(boxes):
    scores = torch.rand(60)
    dets, kept = nms(boxes, scores, iou_threshold=0.4)
    expected = ops.nms(boxes, scores, 0.4)
    assert len(expected) < 60
    assert torch.equal(kept, expected)
    assert torch.equal(dets, torch.cat(
        [boxes[expected], scores[expected, None]], dim=1))


def test_batched_nms(boxes):
    scores, labels = torch.rand(60), torch.randint(3, (60, ))
    _, kept = batched_nms(
        boxes, scores, labels, dict(type='nms', iou_threshold=0.4))
    assert torch.equal(kept, ops.batched_nms(boxes, scores, labels, 0.4))


@pytest.mark.parametrize('aligned', [True, False])
def test_roi_align(boxes, aligned):
    images = torch.randint(2, (60, 1)).float()
    rois = torch.cat([images, boxes], dim=1)
    results = []
    for layer in (RoIAlign((5, 7), 0.25, 2, aligned=aligned),
                  ops.RoIAlign((5, 7), 0.25, 2, aligned=aligned)):
        torch.manual_seed(1)
        feats = torch.rand(2, 3, 32, 32, requires_grad=True)
        out = layer(feats, rois)
        (out * torch.rand_like(out)).sum().backward()
        results.append((out.detach(), feats.grad))
    torch.testing.assert_close(*results)


@pytest.mark.parametrize('modulated', [True, False])
def test_deformable_convolution(modulated):
    layer_type = ModulatedDeformConv2d if modulated else DeformConv2d
    layer = layer_type(4, 6, 3, padding=1, bias=False, deform_groups=2)
    offset = torch.randn(2, 36, 9, 8)
    mask = torch.rand(2, 18, 9, 8) if modulated else None
    others = [offset, mask] if modulated else [offset]
    results = []
    for function in (
            lambda feats: layer(feats, *others),
            lambda feats: ops.deform_conv2d(
                feats, offset, layer.weight, padding=1, mask=mask)):
        torch.manual_seed(1)
        feats = torch.rand(2, 4, 9, 8, requires_grad=True)
        out = function(feats)
        layer.zero_grad()
        out.square().sum().backward()
        results.append((out.detach(), feats.grad, layer.weight.grad.clone()))
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-4)


def test_multi_scale_deformable_attention():
    """Without offsets all points of a head sample the reference point."""
    layer = MultiScaleDeformableAttention(
        embed_dims=8, num_heads=1, num_levels=1, num_points=1, dropout=0)
    torch.nn.init.zeros_(layer.sampling_offsets.bias)
    feats = torch.rand(20, 2, 8)  # of a map of 4 by 5, the batch second
    query, points = torch.rand(3, 2, 8), torch.rand(2, 3, 1, 2)
    out = layer(query, value=feats, reference_points=points,
                spatial_shapes=torch.tensor([[4, 5]]),
                level_start_index=torch.tensor([0]))
    maps = layer.value_proj(feats).permute(1, 2, 0).reshape(2, 8, 4, 5)
    sampled = F.grid_sample(
        maps, points.reshape(2, 3, 1, 2) * 2 - 1, align_corners=False)
    expected = layer.output_proj(sampled[..., 0].permute(2, 0, 1)) + query
    torch.testing.assert_close(out, expected)


def test_box_iou_rotated():
    boxes = torch.cat([torch.rand(12, 2) * 20, 4 + torch.rand(12, 2) * 10,
                       (torch.rand(12, 1) - 0.5) * math.pi], dim=1)
    polygons = [
        rotate(rectangle(x - w / 2, y - h / 2, x + w / 2, y + h / 2), angle,
               use_radians=True) for x, y, w, h, angle in boxes.tolist()
    ]
    expected = torch.tensor([[
        one.intersection(other).area / one.union(other).area
        for other in polygons] for one in polygons])
    assert 0 < expected[0, 1:].max() < 1
    torch.testing.assert_close(
        box_iou_rotated(boxes, boxes), expected, rtol=1e-3, atol=1e-4)
