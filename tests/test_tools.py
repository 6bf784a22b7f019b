"""Each tool through its real command line, away from the repository.

`train`, `test`, `visualize`, `make_toy_dataset` and `swap_head` are in
`test_mim.py`.
"""
import json
from pathlib import Path

import cv2
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from srpose_mm.configs import SRPOSE_MIM, load_config

from .conftest import CONFIGS
from .support.authors_code import MODELS_OF_THE_PAPER, authors_srpose
from .support.mim import mim

# A process of its own takes seconds to begin: rooms test `main` themselves.
pytestmark = pytest.mark.slow

DEMO = next((CONFIGS / 'demo').glob('*.py'))
TOOLS = {path.stem for path in (SRPOSE_MIM / 'tools').glob('*.py')}


def run(*words, cwd):
    return mim('run', 'srpose_mm', *words, cwd=cwd)


@pytest.fixture(scope='module')
def checkpoint(tmp_path_factory):
    """The demo's model with random weights, as MMEngine writes it."""
    torch.manual_seed(0)
    model = MODELS.build(Config.fromfile(DEMO).model)
    model.init_weights()
    for block in model.head.sr_blocks:
        torch.nn.init.xavier_normal_(block.predictor.weight)
    path = tmp_path_factory.mktemp('checkpoint') / 'demo.pth'
    torch.save(dict(meta={}, state_dict=model.state_dict()), path)
    return path


def test_every_tool_is_here_or_in_test_mim():
    folder = Path(__file__).parent
    texts = [(folder / name).read_text('utf-8')
             for name in ('test_tools.py', 'test_mim.py')]
    assert len(TOOLS) >= 10
    for tool in TOOLS:
        assert any(f"'{tool}'" in text for text in texts), tool


def test_complexity(tmp_path):
    output = run('complexity', DEMO, '--out', 'all.json', cwd=tmp_path)
    assert DEMO.stem in output
    record, = json.loads((tmp_path / 'all.json').read_text())
    assert 0 < record['other_params'] < record['backbone_params']


def test_convert_checkpoint(tmp_path):
    name, (_, sizes) = next(iter(MODELS_OF_THE_PAPER.items()))
    cfg = load_config(name)
    backbone = MODELS.build(cfg.model.backbone).state_dict()
    weights = {**{f'backbone.{key}': value for key, value in backbone.items()},
               **authors_srpose(**sizes)}
    torch.save(dict(state_dict=weights), tmp_path / 'authors.pth')
    output = run('convert_checkpoint', name, 'authors.pth', '--out',
                 'ours.pth', cwd=tmp_path)
    assert 'ours.pth' in output


def test_predict(checkpoint, toy_coco, tmp_path):
    output = run('predict', toy_coco / 'val2017', '--config', DEMO,
                 '--checkpoint', checkpoint, '--out-dir', 'out', cwd=tmp_path)
    assert '4 images, 4 instances, 0 files skipped' in output
    for path in (toy_coco / 'val2017').iterdir():
        drawn = cv2.imread(str(tmp_path / 'out' / path.name))
        assert drawn.shape == cv2.imread(str(path)).shape
        content = json.loads(
            (tmp_path / 'out' / f'{path.name}.json').read_text())
        person, = content['predictions'][0]['instances']
        assert len(person['keypoints']) == 17


def test_predict_fails_where_a_file_is_skipped(checkpoint, tmp_path):
    (tmp_path / 'empty.jpg').touch()
    output = mim('run', 'srpose_mm', 'predict', 'empty.jpg', '--config', DEMO,
                 '--checkpoint', checkpoint, cwd=tmp_path, check=False)
    assert "skipped 'empty.jpg': the file is empty" in output
    assert '1 files skipped' in output


def test_export(checkpoint, tmp_path):
    output = run('export', DEMO, checkpoint, '--out', 'demo.onnx',
                 cwd=tmp_path)
    assert '(B, 17, 2)' in output
    assert (tmp_path / 'demo.onnx').stat().st_size > 1e6


def test_check_dataset(toy_coco, tmp_path):
    (tmp_path / 'data').mkdir()
    (tmp_path / 'data' / 'toy_coco').symlink_to(toy_coco)
    output = run('check_dataset', DEMO, '--images', '--json', 'all.json',
                 cwd=tmp_path)
    assert 'train: CocoDataset, top-down' in output
    assert 'no faults' in output
    assert len(json.loads((tmp_path / 'all.json').read_text())) == 2


def test_check_dataset_fails_if_there_is_a_fault(tmp_path):
    with pytest.raises(AssertionError, match='file: 1, stops'):
        run('check_dataset', DEMO, '--split', 'train', cwd=tmp_path)
