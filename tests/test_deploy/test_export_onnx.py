import runpy
import sys

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS
from torch import nn

from srpose_mm.deploy import ExportMismatch, deployed
from srpose_mm.deploy.complexity import complexity
from srpose_mm.deploy.export_onnx import export_onnx

from ..conftest import CONFIGS, ROOT
from ..support.export_models import (
    MEAN,
    SR_HEATMAP,
    STD,
    heatmaps_as_images,
    small_config,
    trained_like,
)

DEMO = next((CONFIGS / 'demo').glob('*.py'))
ALL = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)
NAMES = dict(
    srpose=['heatmaps'],
    sr_head=['heatmaps'],
    stock=['heatmaps'],
    bottom_up=['heatmaps', 'tags'])


def run(path, inputs):
    """Outputs of a file by name."""
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, dict(inputs=inputs))))


def export(name, tmp_path, **kwargs):
    """Export a small model; give the file, what is said of it, the model."""
    cfg, out = small_config(name), tmp_path / 'model.onnx'
    model = trained_like(cfg, tmp_path / 'weights.pth')
    exported = export_onnx(cfg, out, tmp_path / 'weights.pth', **kwargs)
    return out, exported, model


@pytest.mark.parametrize('name', NAMES)
def test_maps_are_those_of_the_model(name, tmp_path):
    out, exported, model = export(name, tmp_path, decode=False)
    images = torch.randn(5, 3, 96, 64)
    with torch.no_grad():
        expected = model(images, None)
    expected = [expected] if torch.is_tensor(expected) else list(expected)
    got = run(out, images.numpy())
    assert list(got) == list(exported.differences) == NAMES[name]
    for (key, value), want in zip(got.items(), expected):
        error = np.abs(value - want.numpy()).max()
        assert error < 1e-4 * want.abs().max(), key
        assert value.dtype == np.float32
        assert value.shape[1:] == exported.shapes[key]
    assert max(exported.differences.values()) < 1e-5
    assert exported.compared is None


def test_nothing_but_what_is_deployed(tmp_path):
    out, _, model = export('srpose', tmp_path, decode=False)
    cfg = small_config('srpose')
    cfg.codec = SR_HEATMAP
    graph = onnx.load(str(out)).graph
    assert 'BatchNormalization' not in {node.op_type for node in graph.node}
    stored = sum(
        np.prod(item.dims, dtype=int) for item in graph.initializer
        if item.data_type == onnx.TensorProto.FLOAT)
    # A normalisation, weight and bias, becomes the bias of its convolution.
    norms = [m for m in model.modules() if isinstance(m, nn.BatchNorm2d)]
    convs = [m for m in model.modules() if isinstance(m, nn.Conv2d)]
    folded = -2 * sum(norm.num_features for norm in norms) + sum(
        conv.out_channels for conv in convs if conv.bias is None)
    assert stored == sum(complexity(cfg)[:2]) + folded
    unused = sum(p.numel() for p in model.head.sr_blocks[:-1].parameters())
    everything = sum(p.numel() for p in model.parameters())
    assert stored == everything - unused + folded


@pytest.mark.parametrize('use_udp', [False, True])
@pytest.mark.parametrize('refine, bound', [('none', 0.71), ('shift', 0.4),
                                           ('dark', 0.02),
                                           ('parabola', 0.02)])
def test_the_file_decodes_as_the_codec(refine, bound, use_udp, tmp_path):
    """The model passes heatmaps of known keypoints on to the decoding."""
    settings = dict(
        SR_HEATMAP, refine=refine, use_udp=use_udp, unbiased=True)
    out = tmp_path / 'model.onnx'
    exported = export_onnx(heatmaps_as_images(settings), out)
    assert exported.shapes == dict(
        inputs=(3, 96, 64), keypoints=(3, 2), scores=(3, ))
    assert exported.compared[0] > 0 and exported.compared[1] == 12
    codec = KEYPOINT_CODECS.build(settings)
    keypoints = np.random.uniform(14, 50, (20, 3, 2)).astype(np.float32)
    heatmaps = np.stack([codec.encode(k[None])['heatmaps'] for k in keypoints])
    got = run(out, heatmaps)
    expected, scores = codec.decode_tensor(torch.from_numpy(heatmaps))
    np.testing.assert_allclose(got['keypoints'], expected, atol=1e-4)
    np.testing.assert_allclose(got['scores'], scores, atol=1e-6)
    if not use_udp:
        errors = np.linalg.norm(got['keypoints'] - keypoints, axis=-1)
        assert errors.max() < bound


def test_decoding_of_maps_without_a_peak(tmp_path):
    out = tmp_path / 'model.onnx'
    export_onnx(heatmaps_as_images(dict(SR_HEATMAP, refine='dark')), out)
    heatmaps = np.zeros((2, 3, 96, 64), dtype=np.float32)
    heatmaps[0, 0] = -1
    heatmaps[1, 2, 0, 63] = 0.5
    got = run(out, heatmaps)
    assert got['scores'].tolist() == [[-1, 0, 0], [0, 0, 0.5]]
    assert got['keypoints'][1].tolist() == [[-1, -1], [-1, -1], [63, 0]]


def test_it_decodes_where_the_codec_can(tmp_path):
    out, exported, model = export('sr_head', tmp_path)
    assert list(exported.differences) == ['keypoints', 'scores']
    images = torch.randn(4, 3, 96, 64)
    with torch.no_grad():
        people = model.head.decode(model(images, None))
    scores = np.concatenate([p.keypoint_scores for p in people])
    got = run(out, images.numpy())
    assert np.abs(got['scores'] - scores).max() < 1e-4 * scores.max()
    for name in ('stock', 'bottom_up'):
        exported = export(name, tmp_path)[1]
        assert list(exported.differences) == NAMES[name]
    exported = export('sr_head', tmp_path, input_size=[96, 96])[1]
    assert exported.shapes == dict(
        inputs=(3, 96, 96), heatmaps=(17, 96, 96))


def test_normalize_takes_images_as_they_are_read(tmp_path):
    out, _, model = export('sr_head', tmp_path, decode=False, normalize=True)
    image = np.random.randint(0, 256, (96, 64, 3)).astype(np.float32)
    rgb = (image[..., ::-1] - MEAN) / STD
    inputs = torch.from_numpy(rgb.transpose(2, 0, 1)[None]).float()
    with torch.no_grad():
        expected = model(inputs, None).numpy()
    got = run(out, image.transpose(2, 0, 1)[None])['heatmaps']
    assert np.abs(got - expected).max() < 1e-4 * np.abs(expected).max()


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    out = tmp_path / 'model.onnx'
    out.write_text('older')
    fuse = deployed.fuse_for_inference

    def fuse_badly(model):
        model = fuse(model)
        model.head.sr_block.predictor.bias.data += 1e-3
        return model

    monkeypatch.setattr(deployed, 'fuse_for_inference', fuse_badly)
    with pytest.raises(
            ExportMismatch, match='export_onnx: expected heatmaps of the file '
            'to be those of PyTorch to 0.0001 of the highest value, got a '
            'difference of .* with 1 images; no file is written'):
        export_onnx(small_config('sr_head'), out, decode=False)
    assert out.read_text() == 'older'
    assert [path.name for path in tmp_path.iterdir()] == ['model.onnx']


class OneImage(nn.Module):
    """A backbone whose trace remembers the number of images."""

    def forward(self, x):
        return (x.reshape(int(x.shape[0]), *x.shape[1:]), )


def test_a_file_for_one_image_only_is_not_written(tmp_path):
    cfg = heatmaps_as_images(SR_HEATMAP, OneImage)
    with pytest.raises(ExportMismatch, match='runs with any number of images, '
                       'got an error with 3: '):
        export_onnx(cfg, tmp_path / 'model.onnx')
    assert not list(tmp_path.iterdir())


def test_tool(tmp_path, monkeypatch, capsys):
    out, weights = tmp_path / 'model.onnx', tmp_path / 'weights.pth'
    trained_like(Config.fromfile(DEMO), weights)
    tool = str(ROOT / 'tools/export_onnx.py')
    words = ['export_onnx.py', str(DEMO), str(weights), '--out', str(out)]
    monkeypatch.setattr(sys, 'argv', [
        *words, '--opset', '16', '--normalize', '--cfg-options',
        'model.head.decoder.refine=parabola'
    ])
    runpy.run_path(tool, run_name='__main__')
    printed = capsys.readouterr().out
    assert '| inputs    | (B, 3, 128, 96) |' in printed
    assert '| keypoints | (B, 17, 2)      |' in printed
    assert f'{out}: {out.stat().st_size / 1e6:.1f} MB' in printed
    assert onnx.load(str(out)).opset_import[0].version == 16
    monkeypatch.setattr(sys, 'argv', [*words, '--input-size', '96', '0'])
    with pytest.raises(SystemExit, match='export_onnx: .*got \\(96, 0\\)'):
        runpy.run_path(tool, run_name='__main__')


@pytest.mark.slow
@pytest.mark.parametrize('path', ALL, ids=lambda path: path.stem)
def test_every_config(path, tmp_path):
    out = tmp_path / 'model.onnx'
    exported = export_onnx(path, out)
    bottom_up = path.stem.startswith('ae')
    assert list(exported.differences) == (
        ['heatmaps', 'tags'] if bottom_up else ['keypoints', 'scores'])
    deployed = sum(complexity(path)[:2])
    # Weights of four bytes, less what is folded, and the graph.
    assert 0.98 < out.stat().st_size / (4 * deployed) < 1.25
