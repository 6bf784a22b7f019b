"""What cannot be exported."""
import sys

import pytest
import torch

from srpose_mm.deploy import export_model, measure_complexity

from ..support.export_models import (
    SR_HEATMAP,
    heatmaps_as_images,
    save_randomized,
    small_config,
)

MSRA = dict(
    type='MSRAHeatmap', input_size=(64, 96), heatmap_size=(64, 96), sigma=2)
REGRESSION = dict(
    type='RegressionHead',
    in_channels=3 * 96 * 64,
    num_joints=3,
    decoder=dict(type='RegressionLabel', input_size=(64, 96)))
VISIBILITY = dict(
    type='VisPredictHead',
    pose_cfg=dict(
        type='HeatmapHead', in_channels=3, out_channels=3,
        deconv_out_channels=None, decoder=MSRA))
LIFTER = dict(
    type='PoseLifter',
    backbone=dict(type='TCN', in_channels=34),
    head=dict(type='TemporalRegressionHead', in_channels=1024, num_joints=17))


@pytest.mark.parametrize('change, kwargs, message', [
    (dict(decoder=MSRA), dict(decode=True),
     'expected an SRHeatmap for 64x96 as the decoder, got MSRAHeatmap'),
    (dict(), dict(decode=True, input_size=(96, 96)),
     r'for 96x96 .* got SRHeatmap for \(64, 96\)'),
    (dict(decoder=dict(SR_HEATMAP, heatmap_size=(32, 48))), dict(),
     r'codec\'s size .*\(32, 48\), got \(64, 96\) from HeatmapHead'),
    (dict(decoder=None), dict(), 'give input_size'),
    (dict(), dict(input_size=(0, 96)),
     r'positive \(width, height\), got \(0, 96'),
    (dict(), dict(format='tflite'), "one of .*'onnx'.* got 'tflite'"),
    (dict(), dict(opset=9), 'cannot export with opset 9: .*another opset'),
    (dict(), dict(opset=99), 'cannot export with opset 99: .*another opset'),
    (REGRESSION, dict(), 'that predicts heatmaps .*got RegressionHead'),
    (VISIBILITY, dict(input_size=(64, 96)), 'heatmaps .*got VisPredictHead'),
    (LIFTER, dict(input_size=(64, 96)),
     'expected a TopdownPoseEstimator .*got PoseLifter'),
])
def test_models_and_arguments(change, kwargs, message, tmp_path):
    cfg = heatmaps_as_images(dict(SR_HEATMAP, refine='dark'))
    if change is LIFTER:
        cfg.model = change
    elif change in (REGRESSION, VISIBILITY):
        cfg.model.head = change
    else:
        cfg.model.head = {**cfg.model.head, **change}
    with pytest.raises(ValueError, match=message):
        export_model(cfg, tmp_path / 'model.onnx', **kwargs)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('call', [
    measure_complexity, lambda cfg, **kwargs: export_model(
        cfg, 'model.onnx', **kwargs)
], ids=['measure_complexity', 'export_model'])
def test_input_sizes_that_a_backbone_cannot_process(call, tmp_path,
                                                    monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match='HRNet: expected an input size that '
                       'is a multiple of 32, got 72x80; use 96x96'):
        call(small_config('hrnet'), input_size=(72, 80))
    assert call(small_config('hrnet'), input_size=(96, 96))


def test_other_errors_of_a_model_pass(tmp_path):
    cfg = heatmaps_as_images(SR_HEATMAP, keypoints=4)
    cfg.model.head.final_layer = dict(kernel_size=1)
    with pytest.raises(RuntimeError, match='expected input.* 4 channels'):
        export_model(cfg, tmp_path / 'model.onnx')
    with pytest.raises(RuntimeError, match='4 channels'):
        export_model(cfg, tmp_path / 'model.onnx', input_size=(65, 96))


def test_checkpoints_of_other_models(tmp_path):
    save_randomized(small_config('stock'), tmp_path / 'stock.pth')
    with pytest.raises(ValueError, match='stock.pth: expected the weights of '
                       'the config\'s model, got .*sr_block'):
        export_model(
            small_config('sr_head'), tmp_path / 'model.onnx',
            tmp_path / 'stock.pth')
    with pytest.raises(FileNotFoundError, match='nope.pth'):
        export_model(
            small_config('sr_head'), tmp_path / 'model.onnx',
            tmp_path / 'nope.pth')


def test_files_that_cannot_be_written(tmp_path):
    with pytest.raises(FileNotFoundError, match='expected out in an existing'):
        export_model(small_config('sr_head'), tmp_path / 'no' / 'model.onnx')
    weights = tmp_path / 'weights.pth'
    save_randomized(small_config('sr_head'), weights)
    before = weights.read_bytes()
    with pytest.raises(ValueError, match='choose another name'):
        export_model(small_config('sr_head'), weights, weights)
    assert weights.read_bytes() == before


def test_weights_that_are_not_finite(tmp_path):
    cfg = small_config('sr_head')
    model = save_randomized(cfg, tmp_path / 'weights.pth')
    model.backbone.conv1.weight.data[0] = float('nan')
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match='finite'):
        export_model(cfg, tmp_path / 'model.onnx', tmp_path / 'weights.pth')
    # Finite weights, but too large.
    model.backbone.conv1.weight.data[:] = 1e38
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'weights.pth')
    with pytest.raises(ValueError, match='expected finite heatmaps of random'):
        export_model(cfg, tmp_path / 'model.onnx', tmp_path / 'weights.pth')


@pytest.mark.parametrize('package', ['onnx', 'onnxruntime'])
def test_missing_packages(package, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f'expected {package} to be installed'
                       f' for the format onnx; pip install {package}'):
        export_model(small_config('sr_head'), tmp_path / 'model.onnx')
    assert export_model(
        small_config('sr_head'), tmp_path / 'a.pt', format='torchscript').file
