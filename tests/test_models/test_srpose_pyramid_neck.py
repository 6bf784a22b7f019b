"""SRPose's neck behind a map of one stride."""
import pytest
import torch
import torch.nn.functional as F
from mmpose.registry import MODELS

NECK = dict(type='SRPosePyramidNeck', in_channels=16, num_keypoints=5,
            out_channels=(8, 8, 4, 4))


@pytest.fixture
def neck():
    return MODELS.build(NECK)


def test_shapes(neck):
    feats = neck((torch.randn(2, 16, 8, 6), ))
    assert [tuple(feat.shape) for feat in feats] == [
        (2, 5, 4, 3), (2, 8, 4, 3), (2, 8, 8, 6), (2, 4, 16, 12),
        (2, 4, 32, 24)
    ]
    sum(feat.sum() for feat in feats).backward()
    assert all(p.grad is not None for p in neck.parameters())


def test_it_is_the_neck_behind_a_pyramid(neck):
    neck.eval()
    plain = MODELS.build(
        dict(NECK, type='SRPoseNeck', in_channels=(16, 16, 8, 4))).eval()
    plain.load_state_dict({
        key: value for key, value in neck.state_dict().items()
        if not key.startswith('upsample_')
    })
    x = torch.randn(1, 16, 4, 4)
    first, norm, _, second = neck.upsample_4x
    half = F.conv_transpose2d(x, first.weight, first.bias, stride=2)
    quarter = F.conv_transpose2d(
        F.gelu(norm(half)), second.weight, second.bias, stride=2)
    pyramid = (quarter, neck.upsample_2x(x), x, F.max_pool2d(x, 2))
    unused = torch.randn(1, 3, 4, 4)  # of earlier blocks
    for ours, expected in zip(neck((unused, x)), plain(pyramid)):
        torch.testing.assert_close(ours, expected)


def test_head_behind_it(neck):
    head = MODELS.build(
        dict(type='SRPoseHead', in_channels=(8, 8, 4, 4), out_channels=5))
    assert head(neck((torch.randn(1, 16, 4, 3), ))).shape == (1, 5, 64, 48)


def test_wrong_channels(neck):
    with pytest.raises(ValueError, match='SRPosePyramidNeck: expected 1 '
                       r'feature maps with \[16\] channels, got 1 with \[8\]'):
        neck((torch.randn(1, 8, 4, 4), ))
    with pytest.raises(ValueError, match='SRPosePyramidNeck: expected '
                       r'in_channels to be a positive integer, got \(16,\)'):
        MODELS.build(dict(NECK, in_channels=(16, )))
    with pytest.raises(ValueError, match='in_channels to be 4 or more, got 2'):
        MODELS.build(dict(NECK, in_channels=2))
