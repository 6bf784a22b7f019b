"""The README: its commands and code run as they stand."""
import glob
import re
import shlex

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import DATASETS, MODELS, TRANSFORMS

from srpose_mm.apis import make_toy_dataset
from srpose_mm.configs import load_config

from .conftest import CONFIGS, ROOT
from .support.authors_code import MODELS_OF_THE_PAPER, authors_srpose
from .support.mim import metric, mim
from .support.tools import load_tool

README = (ROOT / 'projects_readme.md').read_text('utf-8')
STOCK = 'td-hm_res50_8xb64-210e_coco-256x192'
SRPOSE = 'td-srpose_res50_8xb32-210e_coco-256x192'


def blocks(language):
    return re.findall(rf'```{language}\n(.*?)```', README, flags=re.DOTALL)


CONFIGS_SHOWN = [code for code in blocks('python')
                 if code.startswith('_base_')]
TOOLS_RUN = [shlex.split(line) for block in blocks('bash')
             for line in block.splitlines()
             if line.startswith('mim run srpose_mm')]


def config_of(block, folder):
    """The config of a code block, its bases looked up beside ours."""
    for path in CONFIGS.rglob('*.py'):
        block = block.replace(f"'{path.name}'", f"'{path}'")
    file = folder / 'config.py'
    file.write_text(block)
    cfg = Config.fromfile(file)
    cfg.model.backbone.init_cfg = None
    return cfg


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    """What a new user has: weights, data in COCO's layout and a photograph."""
    folder = tmp_path_factory.mktemp('user')
    torch.manual_seed(0)
    (folder / 'stock').mkdir()
    torch.save(dict(state_dict=build(STOCK).state_dict()),
               folder / 'stock' / 'res50-1234.pth')
    backbone = build(SRPOSE).backbone.state_dict()
    theirs = {f'backbone.{key}': value for key, value in backbone.items()}
    theirs.update(authors_srpose(**MODELS_OF_THE_PAPER[SRPOSE][1]))
    torch.save(dict(state_dict=theirs), folder / 'authors.pth')
    make_toy_dataset(folder / 'data' / 'coco', num_train=1, num_val=1)
    photo = np.random.default_rng(0).integers(0, 255, (120, 90, 3), np.uint8)
    cv2.imwrite(str(folder / 'photo.jpg'), photo)
    return folder


def build(name):
    init_default_scope('mmpose')
    cfg = load_config(name)
    cfg.model.backbone.init_cfg = None
    return MODELS.build(cfg.model)


def test_whoever_has_mmpose_comes_first():
    assert blocks('bash')[0] == 'pip install . timm\npython -m srpose_mm\n'


def test_it_is_short():
    assert len(README.splitlines()) <= 150


def test_readme_is_the_manual():
    assert (ROOT / 'README.md').is_symlink()
    assert (ROOT / 'README.md').resolve() == ROOT / 'projects_readme.md'


def test_links_and_pictures_exist():
    for target in re.findall(r'\]\(([^)]+)\)', README):
        if not target.startswith('http'):
            assert (ROOT / target.split('#')[0]).is_file(), target


def test_configs_are_those_of_the_package():
    known = {path.stem for path in CONFIGS.rglob('*.py')}
    named = set(re.findall(r'td-[\w-]+_[\w-]+_[a-z]+-[\dx]+', README))
    assert named - {STOCK} <= known
    assert {STOCK, SRPOSE} <= named


def test_every_tool_is_listed():
    table = README[README.index('## Tools'):]
    listed = set(re.findall(r'^\| `(\w+)` \|', table, flags=re.M))
    tools = {path.stem for path in (ROOT / 'tools').glob('*.py')}
    assert listed == tools - {'train', 'test'}


def test_tools_and_python_run_in_their_order(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    assert [words[3] for words in TOOLS_RUN] == [
        'predict', 'swap_head', 'convert_checkpoint', 'predict']
    for words in TOOLS_RUN:
        arguments = [name for word in words[4:]
                     for name in (glob.glob(word) or [word])]
        load_tool(words[3]).main(arguments)
    assert Config.fromfile('my_config.py').load_from == str(
        folder / 'my_config.pth')
    assert {path.name for path in (folder / 'predictions').iterdir()} == {
        'photo.jpg', 'photo.jpg.json'}
    code, = set(blocks('python')) - set(CONFIGS_SHOWN)
    capsys.readouterr()
    exec(code, {})
    assert 'photo.jpg [[[' in capsys.readouterr().out


@pytest.mark.slow
def test_the_authors_weights_are_tested(folder, monkeypatch):
    monkeypatch.chdir(folder)
    line, = re.findall(r'^mim (test srpose_mm .*)$', README, flags=re.M)
    torch.save(dict(state_dict=build(SRPOSE).state_dict()), 'srpose.pth')
    assert metric(mim(*shlex.split(line), cwd=folder), 'coco/AP') >= 0


@pytest.mark.parametrize('block', CONFIGS_SHOWN)
def test_config(block, tmp_path):
    cfg = config_of(block, tmp_path)
    model = MODELS.build(cfg.model)
    width, height = cfg.codec.input_size
    feats = model.extract_feat(torch.zeros(1, 3, height, width))
    instances = model.head.decode(model.head(feats))
    assert instances[0].keypoints.shape == (1, 17, 2)
    for step in cfg.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)
    assert DATASETS.get(cfg.train_dataloader.dataset.type) is not None
    assert cfg.train_dataloader.dataset.pipeline[-2].encoder.type == (
        'SRHeatmap')
    assert type(model.head.decoder).__name__ == 'SRHeatmap'
