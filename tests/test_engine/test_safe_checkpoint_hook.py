"""What a training or test that loads a checkpoint does with a bad one."""
import os
import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import CheckpointHook
from mmengine.runner import save_checkpoint
from mmpose.registry import HOOKS

from srpose_mm.checkpoints.safe_load import safe_load
from srpose_mm.checkpoints.whole_file_backend import WholeFileBackend

from ..support.training import config, train
from ..test_checkpoints.test_checkpoint_globals import Gadget, run_checkpoint


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


def before_run(work_dir, load_from=None, resume=True, **kwargs):
    """What will be loaded, by its name, and what is logged."""
    runner = SimpleNamespace(
        work_dir=str(work_dir), logger=Log(), _resume=resume,
        _load_from=load_from and str(load_from))
    HOOKS.build(dict(type='SafeCheckpointHook', **kwargs)).before_run(runner)
    found = runner._load_from
    return found and Path(found).name, runner.logger


def cut(path, size):
    contents = path.read_bytes()
    path.write_bytes(contents[:size])


def flip(path, place):
    contents = bytearray(path.read_bytes())
    contents[place] ^= 1
    path.write_bytes(contents)


def replace(path):
    """As torch does, in which an archive's tensors can be told by value."""
    contents = safe_load(path, 'test')
    contents['state_dict']['weight'] = torch.full((2, ), 0.1)
    torch.save(contents, path)
    return path.read_bytes().index(torch.full((2, ), 0.1).numpy().tobytes())


DAMAGE = {
    'empty': lambda path: cut(path, 0),
    'a byte': lambda path: cut(path, 1),
    'half': lambda path: cut(path, path.stat().st_size // 2),
    'all but a byte': lambda path: cut(path, -1),
    'a bit of a weight': lambda path: flip(path, replace(path)),
    'text': lambda path: path.write_text('404 not found'),
    'a folder': lambda path: (path.unlink(), path.mkdir()),
    'removed': lambda path: path.unlink(),
    'code': lambda path: torch.save(
        Gadget(os.system, f'touch {path.parent}/ran'), path),
    'no dict': lambda path: torch.save([1], path),
}


@pytest.mark.parametrize('damage', DAMAGE)
def test_the_next_older_one_is_taken(damage, work_dir):
    DAMAGE[damage](work_dir / 'epoch_3.pth')
    name, log = before_run(work_dir)
    assert name == 'epoch_2.pth'
    assert len(log) == 1
    assert log[0].startswith('SafeCheckpointHook: ')
    assert 'epoch_3.pth' in log[0] and '\n' not in log[0]
    assert not (work_dir / 'ran').exists()


def test_all_is_well(work_dir):
    assert before_run(work_dir) == ('epoch_3.pth', [])
    assert before_run(work_dir, resume=False) == (None, [])


def test_two_are_damaged(work_dir):
    cut(work_dir / 'epoch_3.pth', 100)
    cut(work_dir / 'epoch_2.pth', 0)
    name, log = before_run(work_dir)
    assert name == 'epoch_1.pth' and len(log) == 2


def test_none_is_whole(work_dir):
    for path in work_dir.glob('*.pth'):
        cut(path, 100)
    with pytest.raises(ValueError, match='expected a whole checkpoint in '
                       r'.*work.* got 3 that cannot be read; train anew'):
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


def test_a_folder_that_was_moved(work_dir, tmp_path):
    shutil.move(str(work_dir), str(tmp_path / 'moved'))
    assert before_run(tmp_path / 'moved') == ('epoch_3.pth', [])


def test_a_folder_that_was_copied(work_dir, tmp_path):
    """The original may have been trained anew since."""
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
    cut(tmp_path / 'out/work/epoch_3.pth', 100)
    name, _ = before_run(work_dir, out_dir=str(tmp_path / 'out'))
    assert name == 'epoch_2.pth'


def test_one_that_is_named_is_refused_and_another_offered(work_dir):
    given = work_dir / 'epoch_3.pth'
    assert before_run(work_dir, given)[0] == 'epoch_3.pth'
    cut(given, 100)
    with pytest.raises(ValueError, match='epoch_3.pth: expected a checkpoint '
                       r'of .* got a file that is damaged .*; resume from '
                       r'another one; .*epoch_2.pth\' is whole'):
        before_run(work_dir, given)
    for path in work_dir.glob('*.pth'):
        cut(path, 100)
    with pytest.raises(ValueError, match='resume from another one$'):
        before_run(work_dir, given)
    with pytest.raises(FileNotFoundError, match='got .*none.pth'):
        before_run(work_dir, work_dir / 'none.pth')


@pytest.mark.parametrize('lacking', ['state_dict', 'meta', 'message_hub',
                                     'epoch'])
def test_weights_are_no_training(lacking, work_dir):
    path = work_dir / 'epoch_3.pth'
    contents = safe_load(path, 'test')
    (contents if lacking in contents else contents['meta']).pop(lacking)
    torch.save(contents, path)
    with pytest.raises(ValueError, match=f'got one without {lacking}; to '
                       'start from its weights give it as load_from'):
        before_run(work_dir, path)
    if lacking != 'state_dict':
        assert before_run(work_dir, path, resume=False)[0] == path.name


@pytest.mark.parametrize('given', [
    'https://example.com/a.pth', 'http://example.com/a.pth', 's3://b/a.pth',
    'torchvision://resnet50', 'open-mmlab://a', 'modelzoo://a', 'pavi://a'
])
@pytest.mark.parametrize('resume', [False, True])
def test_nothing_is_downloaded(given, resume, work_dir):
    with pytest.raises(ValueError, match='expected load_from to be a local '
                       f'file, got {given!r}; nothing is downloaded'):
        before_run(work_dir, given, resume=resume)


def test_code_is_not_run_before_a_test(work_dir):
    path = work_dir / 'epoch_3.pth'
    DAMAGE['code'](path)
    with pytest.raises(ValueError, match='damaged or could run code'):
        before_run(work_dir, path, resume=False)
    assert not (work_dir / 'ran').exists()


def test_weights_alone_may_be_loaded(work_dir):
    """As the files of torchvision are, without a state_dict."""
    path = work_dir / 'weights.pth'
    torch.save(torch.nn.Linear(2, 1).state_dict(), path)
    assert before_run(work_dir, path, resume=False)[0] == 'weights.pth'


@pytest.mark.parametrize('keep', [1, 2])
def test_it_keeps_what_the_stock_hook_keeps(keep, toy_coco, tmp_path):
    found = {}
    for kind in ('SafeCheckpointHook', 'CheckpointHook'):
        hook = {'default_hooks.checkpoint.type': kind,
                'default_hooks.checkpoint.max_keep_ckpts': keep}
        runner = train(config(toy_coco, tmp_path / kind, **hook))
        found[kind] = sorted(p.name for p in (tmp_path / kind).glob('*.pth'))
        ids = runner.message_hub.get_info('keep_ckpt_ids')
        assert ids[-keep:] == [2, 3][-keep:]
    assert found['SafeCheckpointHook'] == found['CheckpointHook']
    assert len(found['SafeCheckpointHook']) == keep


@pytest.mark.parametrize('contents', [
    1, None, [1], torch.zeros(2),
    dict(state_dict={}, message_hub={}, meta=None)
])
def test_what_is_no_training_at_all(contents, work_dir):
    torch.save(contents, work_dir / 'epoch_3.pth')
    name, log = before_run(work_dir)
    assert name == 'epoch_2.pth'
    assert 'expected the checkpoint of a training, got one without' in log[0]


def test_a_store_elsewhere_is_left_to_mmengine(tmp_path):
    runner = SimpleNamespace(
        work_dir=str(tmp_path), _resume=True, _load_from=None)
    hook = HOOKS.build(
        dict(type='SafeCheckpointHook', out_dir='s3://bucket/folder'))
    hook.before_run(runner)
    assert runner._load_from is None
    assert isinstance(hook, CheckpointHook)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    target = tmp_path / 'sub' / 'epoch_1.pth'
    WholeFileBackend().put(b'old', target)

    def full(path, contents):
        with path.open('wb') as stream:
            stream.write(contents[:1])
        raise OSError('No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match='No space left'):
        WholeFileBackend().put(b'new', target)
    assert target.read_bytes() == b'old'
    assert list(target.parent.iterdir()) == [target]
