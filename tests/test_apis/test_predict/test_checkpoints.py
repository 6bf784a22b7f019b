"""Which checkpoints are read."""
import os
import pickle

import pytest
import torch
from mmpose.apis import init_model

from srpose_mm.apis.predict import predict

from .helpers import DEMO, load, picture


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
    assert pickle.dumps(attack)
    return path
