"""The configs that the manual shows work as they stand there."""
import re

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import DATASETS, MODELS, TRANSFORMS

from .conftest import CONFIGS, ROOT

MANUAL = (ROOT / 'projects_readme.md').read_text('utf-8')
BLOCKS = re.findall(r'```python\n(_base_.*?)```', MANUAL, flags=re.DOTALL)


def config_of(block, folder):
    """The config of a code block, its bases looked up beside ours."""
    for path in CONFIGS.rglob('*.py'):
        block = block.replace(f"'{path.name}'", f"'{path}'")
    file = folder / 'config.py'
    file.write_text(block)
    cfg = Config.fromfile(file)
    cfg.model.backbone.init_cfg = None
    return cfg


def test_the_first_commands_are_these_two():
    commands = re.findall(r'```bash\n(.*?)```', MANUAL, flags=re.DOTALL)
    assert commands[0] == 'make demo\nmake test\n'


def test_readme_is_the_manual():
    assert (ROOT / 'README.md').is_symlink()
    assert (ROOT / 'README.md').resolve() == ROOT / 'projects_readme.md'


def test_links_and_pictures_exist():
    for target in re.findall(r'\]\(([^)]+)\)', MANUAL):
        if not target.startswith('http'):
            assert (ROOT / target).is_file(), target


def test_configs_are_those_of_the_package():
    known = {path.stem for path in CONFIGS.rglob('*.py')}
    named = set(re.findall(r'td-[\w-]+_[\w-]+_[a-z]+-[\dx]+', MANUAL))
    stock = {name for name in named if name.startswith('td-hm')}
    assert named - stock <= known
    assert len(named) >= 9


def test_every_tool_is_there():
    for tool in re.findall(r'mim run srpose_mm (\w+)', MANUAL):
        assert (ROOT / 'tools' / f'{tool}.py').is_file(), tool


@pytest.mark.parametrize('block', BLOCKS)
def test_config(block, tmp_path):
    cfg = config_of(block, tmp_path)
    model = MODELS.build(cfg.model)
    width, height = cfg.codec.input_size
    feats = model.extract_feat(torch.zeros(1, 3, height, width))
    people = model.head.decode(model.head(feats))
    assert people[0].keypoints.shape == (1, 17, 2)
    for step in cfg.train_dataloader.dataset.pipeline:
        TRANSFORMS.build(step)
    assert DATASETS.get(cfg.train_dataloader.dataset.type) is not None
    assert cfg.train_dataloader.dataset.pipeline[-2].encoder.type == (
        'SRHeatmap')
    assert type(model.head.decoder).__name__ == 'SRHeatmap'
