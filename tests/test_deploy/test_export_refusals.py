import sys

import pytest
import torch

from srpose_mm.deploy.export_onnx import export_onnx

from ..support.export_models import (
    SR_HEATMAP,
    heatmaps_as_images,
    small_config,
    trained_like,
)

MSRA = dict(
    type='MSRAHeatmap', input_size=(64, 96), heatmap_size=(64, 96), sigma=2)
REGRESSION = dict(
    type='RegressionHead',
    in_channels=3 * 96 * 64,
    num_joints=3,
    decoder=dict(type='RegressionLabel', input_size=(64, 96)))
LIFTER = dict(
    type='PoseLifter',
    backbone=dict(type='TCN', in_channels=34),
    head=dict(type='TemporalRegressionHead', in_channels=1024, num_joints=17))


@pytest.mark.parametrize('change, kwargs, message', [
    (dict(decoder=MSRA), dict(decode=True),
     'expected an SRHeatmap for inputs of 64x96 to decode with, got MSRA'),
    (dict(), dict(decode=True, input_size=(96, 96)),
     r'for inputs of 96x96 .* got SRHeatmap for \(64, 96\)'),
    (dict(decoder=None), dict(), 'give input_size'),
    (dict(), dict(input_size=(0, 96)),
     r'positive \(width, height\), got \(0, 96'),
    (dict(), dict(opset=12), 'cannot export with opset 12: .*another opset'),
    (dict(), dict(opset=99), 'cannot export with opset 99: .*another opset'),
    (REGRESSION, dict(), 'that predicts heatmaps .*got RegressionHead'),
    (LIFTER, dict(), 'expected a TopdownPoseEstimator .*got PoseLifter'),
])
def test_refusals(change, kwargs, message, tmp_path):
    cfg = heatmaps_as_images(dict(SR_HEATMAP, refine='dark'))
    if change is LIFTER:
        cfg.model = change
    elif change is REGRESSION:
        cfg.model.head = change
    else:
        cfg.model.head = {**cfg.model.head, **change}
    with pytest.raises(ValueError, match=f'export_onnx: .*{message}'):
        export_onnx(cfg, tmp_path / 'model.onnx', **kwargs)
    assert not list(tmp_path.iterdir())


def test_checkpoints_of_other_models(tmp_path):
    trained_like(small_config('stock'), tmp_path / 'stock.pth')
    with pytest.raises(ValueError, match='stock.pth: expected the weights of '
                       'the config\'s model, got others .*sr_block'):
        export_onnx(small_config('sr_head'), tmp_path / 'model.onnx',
                    tmp_path / 'stock.pth')
    with pytest.raises(FileNotFoundError, match='expected checkpoint to be'):
        export_onnx(small_config('sr_head'), tmp_path / 'model.onnx',
                    tmp_path / 'nope.pth')
    with pytest.raises(FileNotFoundError, match='expected the folder of out'):
        export_onnx(small_config('sr_head'), tmp_path / 'no' / 'model.onnx')


def test_weights_that_blow_up(tmp_path):
    cfg = small_config('sr_head')
    model = trained_like(cfg, tmp_path / 'weights.pth')
    model.backbone.conv1.weight.data[0] = float('nan')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match='expected finite heatmaps'):
        export_onnx(cfg, tmp_path / 'model.onnx', tmp_path / 'weights.pth')


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_without_the_packages(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match='expected onnx and onnxruntime to '
                       'be installed, got .*pip install onnx onnxruntime'):
        export_onnx(small_config('sr_head'), tmp_path / 'model.onnx')
