"""Where results go."""
import os

import pytest

from srpose_mm.inference.predict_files import (
    OutFolder,
    SkippedFile,
    read_image,
)
from srpose_mm.inference.predict_sources import find_sources

from ..support.predict_helpers import people, picture, video


def test_nasty_names(run, tmp_path, monkeypatch):
    folder = tmp_path / 'in'
    names = [
        'a b.jpg', 'a.jpg', 'a.png', '-x.jpg', '..foo.jpg', '...jpg',
        '100%d.jpg', '%(x)s.png', 'é 人.jpg', 'new\nline.png', '~.jpg',
        '$HOME.jpg', "quote'\".jpg", '[red]x.jpg', 'back\\slash.jpg',
        'A.pgm', '.../deep.png', '-d/..x/e.jpg', 'http:/x.jpg',
        os.fsdecode(b'\xff.png')
    ]
    for name in names:
        picture(folder / name, 20, 16, 1)
    video(tmp_path / 'v.avi', 1).rename(folder / '%02d -\n人.avi')
    result = run(folder)
    assert result.skipped == []
    drawn = [name.replace('.pgm', '.pgm.png') for name in names]
    wanted = {*drawn, '%02d -\n人.avi.mp4', '%02d -\n人.avi.json'}
    wanted |= {f'{name}.json' for name in names}
    out = tmp_path / 'out'
    found = {path for path in out.rglob('*') if path.is_file()}
    assert found == {out / name for name in wanted} == set(result.files)
    assert {path.name for path in tmp_path.iterdir()} == {'in', 'out'}

    # As files, from within their folder.
    monkeypatch.chdir(folder)
    again = run(['-x.jpg', '..foo.jpg', './/a.jpg', '../in/a b.jpg'])
    assert not again.skipped and len(again.files) == 8


def test_no_two_results_share_a_name(tmp_path):
    for name in ('x/a.jpg', 'y/A.JPG', 'y/a.jpg.json/b.png', 'z/a.jpg',
                 'w/c.avi', 'w/c.avi.mp4'):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    folders = [tmp_path / name for name in 'xyzw']
    sources = find_sources(folders, tmp_path / 'out')
    drawn = [source.drawn.as_posix() for source in sources]
    assert drawn == [
        'a.jpg', '2/A.JPG', '3/a.jpg.json/b.png', '4/a.jpg', 'c.avi.mp4',
        '2/c.avi.mp4'
    ]
    assert sources[2].path == tmp_path / 'y/a.jpg.json/b.png'


def test_nothing_is_written_through_a_link(run, tmp_path):
    for name in ('in/sub/a.png', 'in/b.png', 'in/c.png'):
        picture(tmp_path / name)
    elsewhere, out = tmp_path / 'elsewhere', tmp_path / 'out'
    elsewhere.mkdir()
    out.mkdir()
    (elsewhere / 'b.json').write_text('mine')
    (out / 'sub').symlink_to(elsewhere)
    (out / 'b.png.json').symlink_to(elsewhere / 'b.json')
    result = run(tmp_path / 'in')
    skipped = {path.name: reason for path, reason in result.skipped}
    assert set(skipped) == {'a.png', 'b.png'}
    for name, reason in skipped.items():
        assert name in reason and 'out of out_dir' in reason
    assert (elsewhere / 'b.json').read_text() == 'mine'
    assert len(list(elsewhere.iterdir())) == 1
    assert people(out / 'c.png.json')


@pytest.mark.parametrize('name', ['../x', '/tmp/x', 'a/../../x', '..'])
def test_the_folder_is_not_left(name, tmp_path):
    with pytest.raises(SkippedFile, match='out of out_dir'), OutFolder(
            tmp_path / 'out').writing(name):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ['out']


def test_inputs_stay_as_they_are(run, tmp_path):
    picture(tmp_path / 'out/a.png')
    before = (tmp_path / 'out/a.png').read_bytes()
    with pytest.raises(ValueError, match=r"'a.png' is one of them"):
        run(tmp_path / 'out')
    assert (tmp_path / 'out/a.png').read_bytes() == before


def test_results_are_no_inputs(run, tmp_path):
    """A run on the folder around ``out_dir``, twice."""
    picture(tmp_path / 'a.png')
    for _ in range(2):
        result = run(tmp_path)
        assert result.images == 1 and len(result.files) == 2


def test_turned_upright(tmp_path):
    """EXIF: the size of the box is that of the image that is seen."""
    from PIL import Image
    image = Image.new('RGB', (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / 'a.jpg', exif=exif)
    assert read_image(tmp_path / 'a.jpg').shape == (40, 20, 3)
