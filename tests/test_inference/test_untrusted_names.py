"""Names of files that could lead predict astray."""
import sys
from pathlib import Path

import pytest
import torch

from srpose_mm.apis import predict

from ..support.predict_helpers import DEMO, picture


@pytest.fixture(autouse=True)
def _here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


NASTY = ['..%2f..%2fx.png', '‮gnp.png', '\x7f\x1b[2J.png', '. .png',
         'CON.png', ' .png', '&&touch ran;.png', '`touch ran`.png',
         '$(touch ran).png', '|touch ran.png', '-o.png', 'a\r\n\t.png',
         '\\..\\..\\x.png', 'x' * 240 + '.png']


def test_predict_stays_in_its_folder():
    """Names of files, links among the inputs, and ways back up."""
    inside = Path('in')
    for name in NASTY:
        picture(inside / name, 20, 16)
    picture(Path('secret/b.png'), 20, 16)
    (inside / 'link.png').symlink_to('../secret/b.png')
    (inside / 'folder').symlink_to('../secret')
    (inside / 'loop').symlink_to('.')
    (inside / 'itself.png').symlink_to('itself.png')
    before = {path: path.stat().st_mtime_ns for path in Path().rglob('*')
              if path.is_file()}
    weights = demo_weights()
    result = predict([inside, 'in/../secret/b.png'], DEMO, weights, 'out',
                     device='cpu')
    again = predict(['in/../in/./-o.png', Path('in').absolute() / ' .png'],
                    DEMO, weights, 'out', device='cpu')
    assert again.images == 2 and set(again.files) <= set(result.files)
    # A name that is long enough has no room for .json.
    skipped = {path.name for path, _ in result.skipped}
    assert skipped <= {'itself.png', NASTY[-1]}
    assert result.images == len(NASTY) + 1 + 1 - len(
        skipped - {'itself.png'})
    new = {path for path in Path().rglob('*') if path.is_file()}
    new -= {*before, weights}
    out = Path('out').resolve()
    assert all(out in path.resolve().parents for path in new)
    assert {path.resolve() for path in result.files} == {
        path.resolve() for path in new}
    for path, time in before.items():
        assert path.stat().st_mtime_ns == time, path
    assert not Path('ran').exists()


@pytest.mark.parametrize('name, reason', [
    ('x' * 300 + '.png', 'File name too long'),
    ('x/' * 3000 + 'a.png', 'File name too long'),
    pytest.param(
        'a\0b.png', 'null', marks=pytest.mark.skipif(
            sys.version_info < (3, 10),
            reason='Python 3.9 takes it for a file, which is skipped')),
])
def test_names_that_no_file_has(name, reason):
    with pytest.raises((OSError, ValueError), match=reason):
        predict(name, DEMO, demo_weights(), 'out', device='cpu')
    assert not Path('out').exists() or not list(Path('out').iterdir())


def demo_weights():
    from mmpose.apis import init_model
    model = init_model(str(DEMO), None, device='cpu')
    torch.save(dict(state_dict=model.state_dict(), meta={}), 'weights.pth')
    return Path('weights.pth')
