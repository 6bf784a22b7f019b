"""The best checkpoint, when a better one takes its place."""
from pathlib import Path
from types import SimpleNamespace

import pytest
from mmengine.logging import MessageHub
from mmpose.registry import HOOKS

from srpose_mm.checkpoints.whole_file_backend import WholeFileBackend


class Validated(SimpleNamespace):
    """What a hook needs of a runner to save the best."""

    def __init__(self, folder):
        super().__init__(
            epoch=0, iter=0, logger=SimpleNamespace(info=str), fails=False,
            message_hub=MessageHub(str(folder)))

    def save_checkpoint(self, folder, filename, **kwargs):
        if self.fails:
            raise OSError('No space left on device')
        (Path(folder) / filename).touch()


def best_hook(folder, save_best):
    folder.mkdir()
    hook = HOOKS.build(
        dict(type='SafeCheckpointHook', save_best=save_best, rule='greater',
             out_dir=str(folder), save_last=False))
    hook.file_backend = WholeFileBackend()
    hook.last_ckpt = None
    if isinstance(save_best, list):
        hook.best_ckpt_path_dict = dict.fromkeys(save_best)
    return hook


def validate(hook, runner, *scores):
    runner.epoch += 1
    hook._save_best_checkpoint(runner, dict(zip(('AP', 'AR'), scores)))
    return sorted(path.name for path in Path(hook.out_dir).glob('*.pth'))


def test_the_best_is_kept_until_the_better_is_written(tmp_path):
    hook = best_hook(tmp_path / 'a', 'AP')
    runner = Validated(tmp_path)
    assert validate(hook, runner, .1) == ['best_AP_epoch_1.pth']
    assert validate(hook, runner, .2) == ['best_AP_epoch_2.pth']
    assert validate(hook, runner, .15) == ['best_AP_epoch_2.pth']
    runner.fails = True
    with pytest.raises(OSError, match='No space left'):
        validate(hook, runner, .3)
    assert (tmp_path / 'a' / 'best_AP_epoch_2.pth').is_file()


def test_the_best_of_two_metrics(tmp_path):
    hook = best_hook(tmp_path / 'a', ['AP', 'AR'])
    runner = Validated(tmp_path)
    validate(hook, runner, .1, .3)
    assert validate(hook, runner, .2, .2) == [
        'best_AP_epoch_2.pth', 'best_AR_epoch_1.pth']
    assert validate(hook, runner, .1, .4) == [
        'best_AP_epoch_2.pth', 'best_AR_epoch_3.pth']


def test_the_best_of_another_training_stays(tmp_path):
    first = best_hook(tmp_path / 'a', 'AP')
    runner = Validated(tmp_path)
    validate(first, runner, .1)
    second = best_hook(tmp_path / 'b', 'AP')
    second.best_ckpt_path = first.best_ckpt_path
    assert validate(second, runner, .2) == ['best_AP_epoch_2.pth']
    assert Path(first.best_ckpt_path).is_file()
