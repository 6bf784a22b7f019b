"""Files are written completely or not at all."""
from pathlib import Path

import pytest
import torch

from srpose_mm.checkpoints import (
    AtomicFileBackend,
    atomic_write,
    check_out,
    save_checkpoint,
)


def test_a_file_appears_when_it_is_complete(tmp_path):
    path = tmp_path / 'a.csv'
    path.write_text('old')
    with atomic_write(path) as unfinished:
        assert unfinished.suffix == '.csv'
        unfinished.write_text('new')
        assert path.read_text() == 'old'
    assert path.read_text() == 'new'
    with pytest.raises(KeyError), atomic_write(path) as unfinished:
        unfinished.write_text('newer')
        raise KeyError
    assert path.read_text() == 'new' and list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / 'sub' / 'epoch_1.pth'
    AtomicFileBackend().put(b'old', path)

    def full(path, contents):
        with path.open('wb') as stream:
            stream.write(contents[:1])
        raise OSError('No space left on device')

    monkeypatch.setattr(Path, 'write_bytes', full)
    with pytest.raises(OSError, match='No space left'):
        AtomicFileBackend().put(b'new', path)
    assert path.read_bytes() == b'old'
    assert list(path.parent.iterdir()) == [path]


def test_a_checkpoint_that_cannot_be_written(tmp_path, monkeypatch):
    path = tmp_path / 'a.pth'
    save_checkpoint(dict(a=1), path)
    before = path.read_bytes()

    def full(contents, file):
        Path(file).write_bytes(b'half')
        raise RuntimeError('file write failed')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(OSError, match='a.pth: cannot write .*file write fail'):
        save_checkpoint(dict(a=2), path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_where_a_file_can_be_written(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    source = Path('a.pth')
    source.touch()
    Path('link.pth').symlink_to(source)
    check_out(Path('b.pth'), source, 'https://example.com/b.pth')
    check_out(source)
    with pytest.raises(FileNotFoundError, match="expected out in an existing "
                       "folder, got 'no/b.pth'; create the folder"):
        check_out(Path('no/b.pth'))
    for out in (source, tmp_path / 'a.pth', Path('link.pth'), tmp_path):
        with pytest.raises(ValueError, match='a file other than those that'):
            check_out(out, source)
