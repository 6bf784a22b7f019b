"""Which checkpoints are read."""
import os

import pytest
import torch
from mmpose.apis import init_model

from srpose_mm.inference.predict import predict

from ..support.predict_helpers import DEMO, load, picture


def test_one_that_runs_code_is_refused(run, tmp_path):
    picture(tmp_path / 'a.png')
    path = hostile(tmp_path)
    with pytest.raises(ValueError, match='could run code'):
        predict(DEMO, path, tmp_path / 'a.png', tmp_path / 'out')
    assert not (tmp_path / 'ran').exists()


def test_its_keypoint_names_are_taken(weights, tmp_path):
    contents = torch.load(weights)
    meta = init_model(str(DEMO), None, device='cpu').dataset_meta
    meta['dataset_name'] = 'mine'
    contents['meta']['dataset_meta'] = meta
    contents['state_dict'] = {
        f'module.{key}': value
        for key, value in contents['state_dict'].items()
    }
    torch.save(contents, tmp_path / 'weights.pth')
    picture(tmp_path / 'a.png')
    predict(DEMO, tmp_path / 'weights.pth', tmp_path / 'a.png',
            tmp_path / 'out', device='cpu')
    content = load(tmp_path / 'out/a.png.json')
    assert content['meta']['dataset'] == 'mine'


def test_all_weights_have_to_be_there(weights, tmp_path):
    """Others would be random, and predict something all the same."""
    picture(tmp_path / 'a.png')
    contents = torch.load(weights)
    state = contents['state_dict']
    for key in [key for key in state if key.startswith('head')]:
        del state[key]
    torch.save(contents, tmp_path / 'backbone.pth')
    with pytest.raises(ValueError, match=r'expected checkpoint to have all '
                       r'weights .* such as head\.'):
        predict(DEMO, tmp_path / 'backbone.pth', tmp_path / 'a.png',
                tmp_path / 'out')
    contents = torch.load(weights)
    contents['state_dict']['backbone.conv1.weight'] = torch.zeros(3)
    torch.save(contents, tmp_path / 'shape.pth')
    with pytest.raises(ValueError, match='got others'):
        predict(DEMO, tmp_path / 'shape.pth', tmp_path / 'a.png',
                tmp_path / 'out')


class Attack:

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command, )


def hostile(folder):
    """A checkpoint that makes the file ``ran`` when it is unpickled."""
    path = folder / 'hostile.pth'
    attack = Attack(f'touch {folder / "ran"}')
    torch.save(dict(state_dict=dict(), attack=attack), path)
    return path
