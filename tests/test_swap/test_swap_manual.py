"""What the page on swap_head shows works as it stands there."""
import re

import pytest
from mmengine.config import Config

from srpose_mm.apis import swap_head
from srpose_mm.swap.features import build_on_meta
from srpose_mm.swap.write_config import same_config

from ..conftest import ROOT

PAGE = (ROOT / 'docs' / 'swap_head.md').read_text('utf-8')
BY_HAND = re.findall(r'```python\n(_base_.*?)```', PAGE, flags=re.DOTALL)
SCHEMES = dict(zip(BY_HAND, ('sr', 'sr', 'srpose')))


def shapes(cfg):
    return {
        key: value.shape
        for key, value in build_on_meta(cfg.model).state_dict().items()
    }


def test_three_models_are_shown():
    assert len(BY_HAND) == 3
    assert [re.search(r'mmpose::(\w+)/(\w+)', block).groups()
            for block in BY_HAND] == [
                ('body_2d_keypoint', 'topdown_heatmap'),
                ('body_2d_keypoint', 'associative_embedding'),
                ('face_2d_keypoint', 'topdown_heatmap')]


@pytest.mark.parametrize('block', BY_HAND)
def test_by_hand_is_what_the_tool_does(block, tmp_path):
    (tmp_path / 'config.py').write_text(block)
    cfg = Config.fromfile(tmp_path / 'config.py')
    swapped = swap_head(re.search(r'mmpose::[\w./-]+', block).group(),
                        SCHEMES[block])
    assert shapes(cfg) == shapes(swapped)
    assert cfg.model.test_cfg == swapped.model.test_cfg
    assert cfg.custom_imports == swapped.custom_imports
    for key in ('type', 'input_size', 'heatmap_size', 'sigma', 'target'):
        assert cfg.codec[key] == swapped.codec[key]
    assert cfg.model.head.decoder.type == swapped.codec.type
    pipelines = [config.train_dataloader.dataset.pipeline
                 for config in (cfg, swapped)]
    for ours, theirs in zip(*pipelines):
        assert ours.type == theirs.type
        if ours.type == 'GenerateTarget':
            assert ours.encoder.type == theirs.encoder.type


def test_python(monkeypatch):
    code, = re.findall(r'```python\n(from .*?)```', PAGE, flags=re.DOTALL)
    scope = {}
    exec(code, scope)
    assert same_config(
        scope['cfg'],
        swap_head('td-hm_res50_8xb64-210e_coco-256x192', 'srpose'))


def test_options_are_those_of_the_tool():
    tool = (ROOT / 'tools' / 'swap_head.py').read_text()
    for option in re.findall(r'`(--[\w-]+)', PAGE):
        assert f"'{option}'" in tool, option
