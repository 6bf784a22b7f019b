import pytest
import torch
import torch.nn.functional as F

from srpose_mm.models.layers import RefinementBlock, SRBlock

LAYOUTS = [torch.contiguous_format, torch.channels_last]


@pytest.mark.parametrize('layout', LAYOUTS)
@pytest.mark.parametrize('batch', [0, 1, 3])
@pytest.mark.parametrize('factor', [1, 4])
def test_sr_block_is_two_convolutions_and_a_pixel_shuffle(
        factor, batch, layout):
    block = SRBlock(
        12, 5, embed_channels=3, upscale_factor=factor, kernel_size=5)
    x = torch.randn(batch, 12, 8, 6).contiguous(memory_format=layout)
    heatmaps = block(x)
    encoder = block.keypoint_encoder[0]
    embedding = F.relu(F.conv2d(x, encoder.weight, encoder.bias))
    squares = F.conv2d(
        embedding,
        block.predictor.weight,
        block.predictor.bias,
        padding=2,
        groups=5)
    torch.testing.assert_close(heatmaps, F.pixel_shuffle(squares, factor))
    assert heatmaps.shape == (batch, 5, 8 * factor, 6 * factor)
    assert heatmaps.is_contiguous()


def test_refinement_block_in_both_layouts():
    block = RefinementBlock(8).eval()
    x = torch.randn(2, 8, 7, 5)
    expected = x + block.pwconv2(
        F.gelu(block.pwconv1(block.norm(block.dwconv(x)))))
    for layout in LAYOUTS:
        out = block(x.contiguous(memory_format=layout))
        torch.testing.assert_close(out, expected)
        assert out.is_contiguous(memory_format=layout)


@pytest.mark.parametrize('layout', LAYOUTS)
def test_refinement_block_without_gradients(layout):
    """GELU then overwrites its input, and the result is the same."""
    block = RefinementBlock(8).eval()
    x = torch.randn(2, 8, 7, 5).contiguous(memory_format=layout)
    before, expected = x.clone(), block(x)
    with torch.no_grad():
        assert torch.equal(block(x), expected)
        assert torch.equal(x, before)
        hidden = torch.randn(3)
        assert block.act(hidden) is hidden
    block(x.requires_grad_()).sum().backward()
    assert x.grad.isfinite().all()
