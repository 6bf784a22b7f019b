"""Which checkpoint a training resumes from, and what it keeps."""
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.logging import MessageHub
from mmengine.runner import save_checkpoint
from mmpose.registry import HOOKS

from srpose_mm.checkpoints import AtomicFileBackend

from ..support.gadgets import Call
from ..support.run_checkpoint import flip_bit, run_checkpoint
from ..support.training import config, train


class Log(list):

    def warning(self, text):
        self.append(text)


def checkpoint(path, epoch):
    contents = run_checkpoint()
    contents['meta'] = dict(epoch=epoch, iter=epoch * 3)
    save_checkpoint(contents, str(path))


@pytest.fixture
def work_dir(tmp_path):
    """Three checkpoints, the third the last."""
    folder = tmp_path / 'work'
    folder.mkdir()
    for epoch in (1, 2, 3):
        checkpoint(folder / f'epoch_{epoch}.pth', epoch)
    (folder / 'last_checkpoint').write_text(str(folder / 'epoch_3.pth'))
    return folder


def before_run(work_dir, resume=True, **kwargs):
    """Return the name of the checkpoint to load, and what is logged."""
    runner = SimpleNamespace(
        work_dir=str(work_dir), logger=Log(), _resume=resume, _load_from=None)
    HOOKS.build(dict(type='SafeCheckpointHook', **kwargs)).before_run(runner)
    chosen = runner._load_from
    return chosen and Path(chosen).name, runner.logger


def cut(path, size):
    path.write_bytes(path.read_bytes()[:size])


def flip(path):
    """Flip a bit of a weight that can be told by its value."""
    weight = torch.full((2, ), 0.1)
    contents = run_checkpoint()
    contents['state_dict']['weight'] = weight
    torch.save(contents, path)
    flip_bit(path, weight)


DAMAGE = {
    'empty': lambda path: cut(path, 0),
    'a byte': lambda path: cut(path, 1),
    'half': lambda path: cut(path, path.stat().st_size // 2),
    'all but a byte': lambda path: cut(path, -1),
    'a bit of a weight': flip,
    'text': lambda path: path.write_text('404 not found'),
    'a folder': lambda path: (path.unlink(), path.mkdir()),
    'removed': lambda path: path.unlink(),
    'code': lambda path: torch.save(
        Call(os.system, f'touch {path.parent}/ran'), path),
    'a number': lambda path: torch.save(1, path),
    'a list': lambda path: torch.save([1], path),
    'a tensor': lambda path: torch.save(torch.zeros(2), path),
    'no meta': lambda path: torch.save(
        dict(state_dict={}, message_hub={}, meta=None), path),
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_the_next_older_one_is_taken(damage, work_dir):
    DAMAGE[damage](work_dir / 'epoch_3.pth')
    name, log = before_run(work_dir)
    assert name == 'epoch_2.pth'
    assert len(log) == 1
    assert 'epoch_3.pth: expected' in log[0] and '\n' not in log[0]
    assert not (work_dir / 'ran').exists()


def test_all_is_well(work_dir):
    assert before_run(work_dir) == ('epoch_3.pth', [])
    assert before_run(work_dir, resume=False) == (None, [])


def test_two_are_corrupt(work_dir):
    cut(work_dir / 'epoch_3.pth', 100)
    cut(work_dir / 'epoch_2.pth', 0)
    name, log = before_run(work_dir)
    assert name == 'epoch_1.pth' and len(log) == 2


def test_none_is_intact(work_dir):
    for path in work_dir.glob('*.pth'):
        cut(path, 100)
    with pytest.raises(ValueError, match='expected an intact checkpoint in '
                       r'.*work.* got 3 that cannot be read; train without'):
        before_run(work_dir)


def test_none_was_written(tmp_path):
    assert before_run(tmp_path) == (None, [])


@pytest.mark.parametrize('text', [None, '', '\n'])
def test_killed_before_last_checkpoint_was_written(text, work_dir):
    (work_dir / 'last_checkpoint').unlink()
    if text is not None:
        (work_dir / 'last_checkpoint').write_text(text)
    assert before_run(work_dir) == ('epoch_3.pth', [])


def test_those_of_an_earlier_training_are_not_taken(work_dir):
    checkpoint(work_dir / 'epoch_10.pth', 10)
    assert before_run(work_dir)[0] == 'epoch_3.pth'
    cut(work_dir / 'epoch_3.pth', 100)
    assert before_run(work_dir)[0] == 'epoch_2.pth'


def test_numbers_are_no_text(work_dir):
    for epoch in (9, 10, 11):
        checkpoint(work_dir / f'epoch_{epoch}.pth', epoch)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'epoch_11.pth'))
    cut(work_dir / 'epoch_11.pth', 100)
    assert before_run(work_dir)[0] == 'epoch_10.pth'


def test_names_with_a_number_format(work_dir):
    for epoch in (4, 5):
        checkpoint(work_dir / f'ep_{epoch:03d}.pth', epoch)
    (work_dir / 'last_checkpoint').write_text(str(work_dir / 'ep_005.pth'))
    cut(work_dir / 'ep_005.pth', 100)
    options = dict(filename_tmpl='ep_{:03d}.pth')
    assert before_run(work_dir, **options)[0] == 'ep_004.pth'


def test_a_folder_that_was_moved(work_dir, tmp_path):
    shutil.move(str(work_dir), str(tmp_path / 'moved'))
    assert before_run(tmp_path / 'moved') == ('epoch_3.pth', [])


def test_a_folder_that_was_copied(work_dir, tmp_path):
    """The original may have been trained again since."""
    copied = tmp_path / 'copied'
    shutil.copytree(str(work_dir), str(copied))
    cut(work_dir / 'epoch_3.pth', 100)
    assert before_run(copied) == ('epoch_3.pth', [])


def test_checkpoints_in_another_folder(work_dir, tmp_path):
    """``out_dir`` gets a folder of the work directory's name."""
    (tmp_path / 'out').mkdir()
    shutil.move(str(work_dir), str(tmp_path / 'out' / 'work'))
    work_dir.mkdir()
    (work_dir / 'last_checkpoint').write_text(
        str(tmp_path / 'out/work/epoch_3.pth'))
    out_dir = str(tmp_path / 'out')
    assert before_run(work_dir, out_dir=out_dir)[0] == 'epoch_3.pth'
    cut(tmp_path / 'out/work/epoch_3.pth', 100)
    assert before_run(work_dir, out_dir=out_dir)[0] == 'epoch_2.pth'


def test_one_that_is_named_is_chosen():
    runner = SimpleNamespace(_resume=True, _load_from='other/epoch_1.pth')
    HOOKS.build(dict(type='SafeCheckpointHook')).before_run(runner)
    assert runner._load_from == 'other/epoch_1.pth'


@pytest.mark.parametrize('lacking', ['state_dict', 'meta', 'message_hub',
                                     'epoch'])
def test_weights_are_no_training(lacking):
    contents = run_checkpoint()
    (contents if lacking in contents else contents['meta']).pop(lacking)
    runner = SimpleNamespace(_resume=True, _load_from='a.pth')
    hook = HOOKS.build(dict(type='SafeCheckpointHook'))
    with pytest.raises(ValueError, match=f'a.pth: .* got one without {lacking}'
                       '; to start from its weights give the checkpoint as l'):
        hook.after_load_checkpoint(runner, contents)


def test_a_store_elsewhere_is_left_to_mmengine(tmp_path):
    name, _ = before_run(tmp_path, out_dir='s3://bucket/folder')
    assert name is None
    (tmp_path / 'last_checkpoint').write_text(
        's3://bucket/folder/work/epoch_3.pth')
    name, _ = before_run(tmp_path, out_dir='s3://bucket/folder')
    assert name is None


@pytest.mark.parametrize('keep', [1, 2])
def test_it_keeps_as_many_as_asked_for(keep, toy_coco, tmp_path):
    runner = train(config(
        toy_coco, tmp_path, **{
            'default_hooks.checkpoint.max_keep_ckpts': keep}))
    ids = runner.message_hub.get_info('keep_ckpt_ids')
    assert ids == [2, 3][-keep:]
    assert sorted(path.name for path in tmp_path.glob('*.pth')) == [
        f'epoch_{number}.pth' for number in ids]


class Runner(SimpleNamespace):
    """What a hook needs of a runner to save checkpoints."""

    def __init__(self, folder):
        super().__init__(
            epoch=0, iter=0, logger=SimpleNamespace(info=str), fails=False,
            work_dir=str(folder), message_hub=MessageHub(str(folder)))

    def save_checkpoint(self, folder, filename, *args, **kwargs):
        if self.fails:
            raise OSError('No space left on device')
        torch.save(self.message_hub.state_dict(), Path(folder) / filename)


def saving_hook(folder, **kwargs):
    folder.mkdir()
    hook = HOOKS.build(
        dict(type='SafeCheckpointHook', rule='greater', save_last=False,
             **kwargs))
    runner = Runner(folder)
    hook.before_train(runner)
    hook.file_backend = AtomicFileBackend()
    return hook, runner


def names(hook):
    return sorted(path.name for path in Path(hook.out_dir).glob('*.pth'))


def validate(hook, runner, *scores):
    runner.epoch += 1
    hook._save_best_checkpoint(runner, dict(zip(('AP', 'AR'), scores)))
    return names(hook)


def test_the_best_is_kept_until_the_better_is_written(tmp_path):
    hook, runner = saving_hook(tmp_path / 'a', save_best='AP')
    assert validate(hook, runner, .1) == ['best_AP_epoch_1.pth']
    assert validate(hook, runner, .2) == ['best_AP_epoch_2.pth']
    assert validate(hook, runner, .15) == ['best_AP_epoch_2.pth']
    runner.fails = True
    with pytest.raises(OSError, match='No space left'):
        validate(hook, runner, .3)
    assert (tmp_path / 'a' / 'best_AP_epoch_2.pth').is_file()


def test_the_best_of_two_metrics(tmp_path):
    hook, runner = saving_hook(tmp_path / 'a', save_best=['AP', 'AR'])
    validate(hook, runner, .1, .3)
    assert validate(hook, runner, .2, .2) == [
        'best_AP_epoch_2.pth', 'best_AR_epoch_1.pth']
    assert validate(hook, runner, .1, .4) == [
        'best_AP_epoch_2.pth', 'best_AR_epoch_3.pth']


def test_the_best_of_another_training_stays(tmp_path):
    first, runner = saving_hook(tmp_path / 'a', save_best='AP')
    validate(first, runner, .1)
    second, runner = saving_hook(tmp_path / 'b', save_best='AP')
    second.best_ckpt_path = first.best_ckpt_path
    assert validate(second, runner, .2) == ['best_AP_epoch_1.pth']
    assert Path(first.best_ckpt_path).is_file()


def test_the_oldest_is_removed_after_the_newest_is_written(tmp_path):
    hook, runner = saving_hook(tmp_path / 'a', max_keep_ckpts=1)
    hook._save_checkpoint_with_step(runner, 1, {})
    runner.fails = True
    with pytest.raises(OSError, match='No space left'):
        hook._save_checkpoint_with_step(runner, 2, {})
    assert names(hook) == ['epoch_1.pth']


def test_what_a_killed_training_left_is_removed(tmp_path):
    folder = tmp_path / 'a'
    (folder / '.unfinished_checkpoint_x').mkdir(parents=True)
    (folder / '.unfinished_checkpoint_x' / 'file.pth').touch()
    hook = HOOKS.build(dict(type='SafeCheckpointHook'))
    hook.before_train(Runner(folder))
    assert list(folder.iterdir()) == []
