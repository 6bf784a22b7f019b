"""Exported files that find peaks without making heatmaps."""
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn

from srpose_mm.codecs import REFINEMENTS
from srpose_mm.deploy import export_model

from ..support.export_models import SR_HEATMAP, small_config
from ..support.model_helpers import draw_gaussians

FORMATS = ('onnx', 'torchscript')
FEAT_HW = 24, 16


class Shrink(nn.Module):
    """A backbone whose features are the images at a quarter of their size."""

    def forward(self, x):
        return (F.avg_pool2d(x, 4), )


def gaussians(weights, **codec):
    """Return a config of a model that draws its images' squares as Gaussians.

    Args:
        weights: The checkpoint to write.
        codec: Settings of the codec.
    """
    head = dict(
        type='SRHead',
        in_channels=3,
        out_channels=3,
        deconv_out_channels=None,
        decoder=dict(SR_HEATMAP, **codec))
    cfg = Config(
        dict(
            model=dict(
                type='TopdownPoseEstimator',
                backbone=dict(type=Shrink),
                head=head)))
    model = MODELS.build(cfg.model)
    draw_gaussians(model.head.last_block)
    torch.save(dict(state_dict=model.state_dict()), weights)
    return cfg


def squares(batch):
    """Images with a high and a low square of 4x4 px in each channel."""
    rng = np.random.default_rng(0)
    feats = torch.zeros(batch, 3, *FEAT_HW)
    for channel in feats.flatten(0, 1):
        for height in (1., 0.6):
            y, x = (rng.integers(n) for n in FEAT_HW)
            channel[y, x] = height
            # The peak is not in the middle of the cell.
            channel[y, min(x + 1, 15)] += 0.3 * height
    return F.interpolate(feats, scale_factor=4)


def run(path, images):
    if path.suffix == '.torchscript':
        return torch.jit.load(str(path))(images)
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    outputs = session.run(['keypoints', 'scores'],
                          dict(inputs=images.numpy()))
    return [torch.from_numpy(output) for output in outputs]


def largest_tensor(path, images):
    """Return the number of values of the largest tensor in an ONNX file."""
    model = onnx.load(str(path))
    known = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node for name in node.output]
    model.graph.output.extend(
        onnx.ValueInfoProto(name=name) for name in names if name not in known)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=['CPUExecutionProvider'])
    return max(
        np.size(out) for out in session.run(None, dict(inputs=images.numpy())))


@pytest.mark.parametrize('format', FORMATS)
@pytest.mark.parametrize('refine, use_udp', [
    *((refine, False) for refine in REFINEMENTS), ('parabola', True)
])
def test_keypoints_are_those_of_the_heatmaps(refine, use_udp, format,
                                             tmp_path):
    weights = tmp_path / 'weights.pth'
    cfg = gaussians(weights, refine=refine, use_udp=use_udp)
    outputs = {}
    for peaks_only in (True, False):
        cfg.model.test_cfg = dict(peaks_only=peaks_only)
        out = tmp_path / f'{peaks_only}.{format}'
        result = export_model(cfg, out, weights, format=format)
        assert result.shapes == dict(
            inputs=(3, 96, 64), keypoints=(3, 2), scores=(3, ))
        outputs[peaks_only] = [run(out, squares(n)) for n in (1, 3)]
    for got, expected in zip(outputs[True], outputs[False]):
        torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-3)
        assert (got[1] > 0.5).all()


def test_no_heatmap_is_made(tmp_path):
    weights = tmp_path / 'weights.pth'
    cfg, images = gaussians(weights), squares(2)
    export_model(cfg, tmp_path / 'peaks.onnx', weights)
    # An embedding of 4 channels is smaller than a heatmap of 4 x 4 cells.
    embedding, heatmaps = (2 * 3 * n * 24 * 16 for n in (4, 16))
    peaks = largest_tensor(tmp_path / 'peaks.onnx', images)
    assert embedding <= peaks < heatmaps
    cfg.model.test_cfg = dict(peaks_only=False)
    export_model(cfg, tmp_path / 'dense.onnx', weights)
    assert largest_tensor(tmp_path / 'dense.onnx', images) >= heatmaps


@pytest.mark.parametrize('name', ['srpose', 'sr_head'])
def test_decode_false_outputs_heatmaps(name, tmp_path):
    cfg = small_config(name)
    cfg.model.test_cfg = dict(peaks_only=True)
    result = export_model(cfg, tmp_path / 'model.onnx', decode=False)
    assert result.shapes['heatmaps'] == (17, 96, 64)
