import runpy
import subprocess
import sys

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import KEYPOINT_CODECS

from srpose_mm.deploy import ExportMismatch, deployed
from srpose_mm.deploy.export_torchscript import export_torchscript

from ..conftest import CONFIGS, ROOT
from ..support.export_models import (
    SR_HEATMAP,
    heatmaps_as_images,
    small_config,
    trained_like,
)

DEMO = next((CONFIGS / 'demo').glob('*.py'))


@pytest.mark.parametrize('name', ['srpose', 'stock', 'bottom_up'])
def test_maps_are_those_of_the_model(name, tmp_path):
    cfg, out = small_config(name), tmp_path / 'model.pt'
    model = trained_like(cfg, tmp_path / 'weights.pth')
    exported = export_torchscript(
        cfg, out, tmp_path / 'weights.pth', decode=False)
    images = torch.randn(5, 3, 96, 64)
    with torch.no_grad():
        expected = model(images, None)
        got = torch.jit.load(str(out))(images)
    assert isinstance(got, tuple) == (name == 'bottom_up')
    if name != 'bottom_up':
        expected, got = (expected, ), (got, )
    for want, have in zip(expected, got):
        assert (have - want).abs().max() < 1e-4 * want.abs().max()
    assert max(exported.differences.values()) < 1e-5


@pytest.mark.parametrize('refine', ['none', 'shift', 'dark', 'parabola'])
def test_the_file_decodes_as_the_codec(refine, tmp_path):
    settings = dict(SR_HEATMAP, refine=refine, unbiased=True)
    out = tmp_path / 'model.pt'
    export_torchscript(heatmaps_as_images(settings), out)
    codec = KEYPOINT_CODECS.build(settings)
    keypoints = np.random.uniform(14, 50, (20, 3, 2)).astype(np.float32)
    heatmaps = torch.from_numpy(
        np.stack([codec.encode(k[None])['heatmaps'] for k in keypoints]))
    got, scores = torch.jit.load(str(out))(heatmaps)
    expected = codec.decode_tensor(heatmaps)
    torch.testing.assert_close(got, expected[0], atol=1e-4, rtol=0)
    torch.testing.assert_close(scores, expected[1])
    error = (got - torch.from_numpy(keypoints)).norm(dim=-1).max()
    assert error < dict(none=0.71, shift=0.4).get(refine, 0.02)


def test_a_file_that_differs_is_not_written(tmp_path, monkeypatch):
    fuse = deployed.fuse_for_inference

    def fuse_badly(model):
        model = fuse(model)
        model.head.sr_block.predictor.bias.data += 1e-3
        return model

    monkeypatch.setattr(deployed, 'fuse_for_inference', fuse_badly)
    with pytest.raises(ExportMismatch, match='export_torchscript: expected '
                       'scores of the file'):
        export_torchscript(small_config('sr_head'), tmp_path / 'model.pt')
    assert not list(tmp_path.iterdir())


def test_tool_writes_a_file_that_needs_only_torch(tmp_path, monkeypatch,
                                                  capsys):
    out, weights = tmp_path / 'model.pt', tmp_path / 'weights.pth'
    model = trained_like(Config.fromfile(DEMO), weights)
    tool = str(ROOT / 'tools/export_torchscript.py')
    words = ['export_torchscript.py', str(DEMO), str(weights), '--out']
    monkeypatch.setattr(sys, 'argv', [*words, str(out), '--no-decode'])
    runpy.run_path(tool, run_name='__main__')
    printed = capsys.readouterr().out
    assert '| heatmaps | (B, 17, 128, 96) |' in printed
    assert 'TorchScript' in printed
    images, answer = torch.randn(2, 3, 128, 96), tmp_path / 'heatmaps.pt'
    torch.save(images, tmp_path / 'images.pt')
    code = ('import sys, torch; a, b, c = sys.argv[1:]; '
            'torch.save(torch.jit.load(a)(torch.load(b)), c); '
            'assert not {"mmpose", "srpose_mm"} & set(sys.modules)')
    subprocess.run(
        [sys.executable, '-c', code, out, tmp_path / 'images.pt', answer],
        check=True,
        cwd=tmp_path)
    with torch.no_grad():
        expected = model(images, None)
    error = (torch.load(answer) - expected).abs().max()
    assert error < 1e-4 * expected.abs().max()
    monkeypatch.setattr(sys, 'argv', [*words, str(tmp_path / 'no/model.pt')])
    with pytest.raises(SystemExit, match='expected the folder of out'):
        runpy.run_path(tool, run_name='__main__')
