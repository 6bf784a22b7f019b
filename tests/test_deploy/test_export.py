"""Exported files and their comparison with the model."""
import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS
from torch import nn

from srpose_mm.deploy import (
    ExportMismatch,
    export,
    export_model,
    measure_complexity,
)

from ..support.export_models import (
    MEAN,
    SR_HEATMAP,
    STD,
    heatmaps_as_images,
    save_randomized,
    small_config,
)

FORMATS = ('onnx', 'torchscript')
OUTPUTS = dict(
    srpose=['heatmaps'], stock=['heatmaps'], bottom_up=['heatmaps', 'tags'])


def run(path, images):
    """Run a file that is ONNX or, if it ends in .torchscript, TorchScript."""
    if path.suffix == '.torchscript':
        return torch.jit.load(str(path))(images)
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    return [
        torch.from_numpy(output)
        for output in session.run(None, dict(inputs=images.numpy()))
    ]


def export_small(name, tmp_path, format='onnx', **kwargs):
    """Export a small model; return the path, the result and the model."""
    cfg, out = small_config(name), tmp_path / f'model.{format}'
    model = save_randomized(cfg, tmp_path / 'weights.pth')
    result = export_model(
        cfg, out, tmp_path / 'weights.pth', format=format, **kwargs)
    return out, result, model


@pytest.mark.parametrize('format', FORMATS)
@pytest.mark.parametrize('name', OUTPUTS)
def test_maps_equal_those_of_the_model(name, format, tmp_path):
    out, result, model = export_small(name, tmp_path, format, decode=False)
    images = torch.randn(5, 3, 96, 64)
    with torch.no_grad():
        expected = model(images, None)
    expected = [expected] if torch.is_tensor(expected) else list(expected)
    got = run(out, images)
    assert list(result.differences) == OUTPUTS[name]
    assert result.compared is None
    for have, want, key in zip(got, expected, OUTPUTS[name]):
        limit = 1e-4 * want.abs().max().item()
        torch.testing.assert_close(have, want, rtol=0, atol=limit)
        assert have.shape[1:] == result.shapes[key]
    assert max(result.differences.values()) < 1e-5


def test_a_file_contains_only_the_deployed_weights(tmp_path):
    out, _, model = export_small('srpose', tmp_path, decode=False)
    cfg = small_config('srpose')
    graph = onnx.load(str(out)).graph
    assert 'BatchNormalization' not in {node.op_type for node in graph.node}
    stored = sum(
        np.prod(item.dims, dtype=int) for item in graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT)
    # Weight and bias of a normalization become the bias of its convolution.
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    folded = -2 * sum(norm.num_features for norm in norms) + sum(
        conv.out_channels for conv in convs if conv.bias is None)
    assert stored == sum(measure_complexity(cfg)[:2]) + folded
    unused = sum(p.numel() for p in model.head.sr_blocks[:-1].parameters())
    everything = sum(p.numel() for p in model.parameters())
    assert stored == everything - unused + folded


@pytest.mark.parametrize('refine, bound', [('none', 0.71), ('shift', 0.4),
                                           ('dark', 0.02),
                                           ('parabola', 0.02)])
@pytest.mark.parametrize('format, use_udp', [('onnx', False), ('onnx', True),
                                             ('torchscript', False)])
def test_a_file_decodes_like_the_codec(refine, bound, format, use_udp,
                                       tmp_path):
    """Encoded keypoints come out of a model that passes on its images."""
    settings = dict(SR_HEATMAP, refine=refine, use_udp=use_udp, unbiased=True)
    out = tmp_path / f'model.{format}'
    result = export_model(heatmaps_as_images(settings), out, format=format)
    assert result.shapes == dict(
        inputs=(3, 96, 64), keypoints=(3, 2), scores=(3, ))
    assert result.compared[0] > 0 and result.compared[1] == 9
    codec = KEYPOINT_CODECS.build(settings)
    keypoints = np.random.uniform(14, 50, (20, 3, 2)).astype(np.float32)
    heatmaps = torch.from_numpy(
        np.stack([codec.encode(k[None])['heatmaps'] for k in keypoints]))
    got, scores = run(out, heatmaps)
    decoded = [codec.decode(maps.numpy()) for maps in heatmaps]
    np.testing.assert_allclose(
        got, np.concatenate([points for points, _ in decoded]), atol=1e-4)
    np.testing.assert_allclose(
        scores, np.concatenate([heights for _, heights in decoded]), atol=1e-6)
    if not use_udp:
        errors = np.linalg.norm(got - keypoints, axis=-1)
        assert errors.max() < bound


def test_maps_without_a_peak(tmp_path):
    out = tmp_path / 'model.onnx'
    export_model(heatmaps_as_images(dict(SR_HEATMAP, refine='dark')), out)
    heatmaps = torch.zeros(2, 3, 96, 64)
    heatmaps[0, 0] = -1
    heatmaps[1, 2, 0, 63] = 0.5
    keypoints, scores = run(out, heatmaps)
    assert scores.tolist() == [[-1, 0, 0], [0, 0, 0.5]]
    assert keypoints[1].tolist() == [[-1, -1], [-1, -1], [63, 0]]


def test_a_file_decodes_if_its_codec_can(tmp_path):
    out, result, model = export_small('sr_head', tmp_path)
    assert list(result.differences) == ['keypoints', 'scores']
    images = torch.randn(4, 3, 96, 64)
    with torch.no_grad():
        peaks = model.head.predict_peaks(model.extract_feat(images))
        instances = model.head.decode(peaks)
    scores = np.concatenate([i.keypoint_scores for i in instances])
    np.testing.assert_allclose(
        run(out, images)[1], scores, atol=1e-4 * scores.max())
    result = export_small('stock', tmp_path)[1]
    assert list(result.differences) == ['heatmaps']
    result = export_small('sr_head', tmp_path, input_size=[96, 96])[1]
    assert result.shapes == dict(inputs=(3, 96, 96), heatmaps=(17, 96, 96))


def test_normalize_accepts_images_as_they_are_read(tmp_path):
    out, _, model = export_small(
        'sr_head', tmp_path, decode=False, normalize=True)
    image = np.random.randint(0, 256, (96, 64, 3)).astype(np.float32)
    rgb = (image[..., ::-1] - MEAN) / STD
    inputs = torch.from_numpy(rgb.transpose(2, 0, 1)[None]).float()
    with torch.no_grad():
        expected = model(inputs, None)
    got, = run(out, torch.from_numpy(image.transpose(2, 0, 1)[None]))
    limit = 1e-4 * expected.abs().max().item()
    torch.testing.assert_close(got, expected, rtol=0, atol=limit)


@pytest.mark.parametrize('format', FORMATS)
def test_one_input_channel(format, tmp_path):
    cfg = small_config('sr_head')
    cfg.model.backbone.in_channels = 1
    cfg.model.data_preprocessor = dict(
        type='PoseDataPreprocessor', mean=[100.], std=[50.])
    model = save_randomized(cfg, tmp_path / 'weights.pth')
    out = tmp_path / f'gray.{format}'
    result = export_model(
        cfg,
        out,
        tmp_path / 'weights.pth',
        format=format,
        decode=False,
        normalize=True)
    assert result.shapes['inputs'] == (1, 96, 64)
    images = 255 * torch.rand(2, 1, 96, 64)
    with torch.no_grad():
        expected = model((images - 100) / 50, None)
    limit = 1e-4 * expected.abs().max().item()
    torch.testing.assert_close(
        run(out, images)[0], expected, rtol=0, atol=limit)


def test_synchronized_norms_run_on_the_cpu(tmp_path):
    cfg = small_config('sr_head')
    cfg.model.backbone.norm_cfg = dict(type='SyncBN')
    assert export_model(cfg, tmp_path / 'model.onnx').shapes


@pytest.mark.parametrize('default_scope', [None, 'mmpose'])
def test_pure_python_configs(default_scope, tmp_path):
    """MMPose's have classes as types and no default scope."""
    path = tmp_path / 'pure.py'
    model = Config(dict(model=small_config('stock').model)).pretty_text
    for name in ('TopdownPoseEstimator', 'ResNet', 'HeatmapHead'):
        model = model.replace(f"type='{name}'", f'type={name}')
    path.write_text(
        'from mmpose.models import HeatmapHead, ResNet, TopdownPoseEstimator\n'
        f'default_scope = {default_scope!r}\n{model}')
    assert measure_complexity(path).backbone_params > 0
    result = export_model(path, tmp_path / 'model.onnx')
    assert result.shapes['heatmaps'] == (17, 24, 16)


class EqualPeaks(nn.Module):
    """A backbone that returns one clear peak, many equal ones, and none."""

    def forward(self, x):
        maps = torch.zeros(3, 96, 64)
        maps[0, 20, 20] = 1
        maps[1, ::10, ::10] = 1
        return (maps + 0 * x, )


def test_keypoints_that_noise_moves_are_not_compared(tmp_path):
    cfg = heatmaps_as_images(dict(SR_HEATMAP, refine='none'), EqualPeaks)
    # Of three images. The keypoint of an empty map is always (-1, -1).
    assert export_model(cfg, tmp_path / 'model.onnx').compared == (6, 9)


def test_images_are_drawn_until_a_peak_is_clear(tmp_path, monkeypatch):
    cfg = heatmaps_as_images(dict(SR_HEATMAP, refine='none'), EqualPeaks)
    original, draws = export._expect, []

    def expect(reference, images):
        draws.append(images)
        expected, steady = original(reference, images)
        return expected, steady & (len(draws) > 2)

    monkeypatch.setattr(export, '_expect', expect)
    assert export_model(cfg, tmp_path / 'model.onnx').compared == (6, 9)
    assert len(draws) == 3 and not torch.equal(*draws[:2])
    monkeypatch.setattr(export, 'IMAGE_DRAWS', 1)
    draws.clear()
    with pytest.raises(ValueError, match='clear peak in 1 batches'):
        export_model(cfg, tmp_path / 'other.onnx')
    assert not (tmp_path / 'other.onnx').exists()


def change_outputs(monkeypatch, change):
    """Let exported files return other outputs."""
    original = export._run

    def run(*args):
        outputs = list(original(*args))
        change(outputs)
        return outputs

    monkeypatch.setattr(export, '_run', run)


@pytest.mark.parametrize('error, message', [
    (0.009, None), (0.011, 'keypoints of PyTorch, got others: .*'
                    'Greatest absolute difference: 0.0109'),
    (float('nan'), 'difference: nan'),
    (None, 'must have the same|not match|do not match')
])
def test_limit_of_keypoints(error, message, tmp_path, monkeypatch):
    cfg = heatmaps_as_images(dict(SR_HEATMAP, refine='none'), EqualPeaks)

    def change(outputs):
        if error is None:
            outputs[0] = outputs[0].double()
        else:
            outputs[0][:, 0, 0] += error
            outputs[0][:, 1] += 50

    change_outputs(monkeypatch, change)
    out = tmp_path / 'model.onnx'
    if message is None:
        result = export_model(cfg, out)
        assert result.differences['keypoints'] == pytest.approx(0.009, 0.01)
        return
    with pytest.raises(ExportMismatch, match=message):
        export_model(cfg, out)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize('error, accepted', [(0.9e-4, True), (1.1e-4, False)])
def test_limit_of_maps(error, accepted, tmp_path, monkeypatch):
    cfg = heatmaps_as_images(SR_HEATMAP)

    def change(outputs):
        outputs[0][0, 0, 0, 0] += error * outputs[0].abs().max()

    change_outputs(monkeypatch, change)
    out = tmp_path / 'model.onnx'
    if accepted:
        result = export_model(cfg, out, decode=False)
        assert result.differences['heatmaps'] == pytest.approx(error, 0.01)
    else:
        with pytest.raises(ExportMismatch, match='heatmaps of PyTorch, got'):
            export_model(cfg, out, decode=False)


@pytest.mark.parametrize('format', FORMATS)
def test_a_mismatch_leaves_the_previous_file(format, tmp_path, monkeypatch):
    out = tmp_path / 'model'
    out.write_text('previous')
    fuse = export.fuse_for_inference

    def fuse_badly(model):
        model = fuse(model)
        model.head.sr_block.predictor.bias.data += 1e-3
        return model

    monkeypatch.setattr(export, 'fuse_for_inference', fuse_badly)
    with pytest.raises(ExportMismatch, match='heatmaps .*no file is written'):
        export_model(
            small_config('sr_head'), out, format=format, decode=False)
    assert out.read_text() == 'previous'
    assert [path.name for path in tmp_path.iterdir()] == ['model']


class OneImage(nn.Module):
    """A backbone whose trace records the batch size."""

    def forward(self, x):
        return (x.reshape(int(x.shape[0]), *x.shape[1:]), )


def test_a_file_for_one_image_only_is_refused(tmp_path):
    cfg = heatmaps_as_images(SR_HEATMAP, OneImage)
    with pytest.raises(ExportMismatch, match='runs with any batch size, got '
                       'an error with 3 images: '):
        export_model(cfg, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())
