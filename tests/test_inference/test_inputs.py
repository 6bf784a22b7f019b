"""What is read, and what is skipped."""
import os

import cv2
import numpy as np
import pytest
from mmpose.apis import inference_topdown

from srpose_mm.inference.predict import predict

from ..support.predict_helpers import (
    DEMO,
    assert_same,
    load,
    people,
    picture,
    video,
)


def test_videos(run, model, tmp_path):
    path = video(tmp_path / 'clip.avi', 3)
    result = run(path)
    assert (result.images, result.people, result.skipped) == (3, 3, [])
    content = load(tmp_path / 'out/clip.avi.json')
    assert content['meta']['fps'] == 7
    source = cv2.VideoCapture(str(path))
    drawn = cv2.VideoCapture(str(tmp_path / 'out/clip.avi.mp4'))
    assert drawn.get(cv2.CAP_PROP_FPS) == 7
    for index, frame in enumerate(content['predictions']):
        assert frame['frame_id'] == index
        image = source.read()[1]
        assert_same(frame['instances'],
                    inference_topdown(model, image)[0])
        is_frame, picture = drawn.read()
        assert is_frame and picture.shape == image.shape
    assert index == 2 and not drawn.read()[0]


def test_json_only(run, tmp_path):
    picture(tmp_path / 'in/a.png')
    video(tmp_path / 'in/b.avi')
    result = run(tmp_path / 'in', pictures=False)
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['a.png.json', 'b.avi.json']
    assert result.images == 4


@pytest.mark.parametrize('channels', [1, 4])
def test_grey_and_alpha(run, model, channels, tmp_path):
    image = picture(tmp_path / 'a.png', channels=channels)
    run(tmp_path / 'a.png')
    colour = np.stack([image] * 3, -1) if channels == 1 else image[..., :3]
    colour = np.ascontiguousarray(colour)
    assert_same(
        people(tmp_path / 'out/a.png.json'),
        inference_topdown(model, colour)[0])


def test_what_cannot_be_read_is_skipped(run, tmp_path):
    folder = tmp_path / 'in'
    picture(folder / 'a.png')
    picture(folder / 'deep/z.jpg')
    for name in ('half.jpg', 'half.png', 'half.bmp'):
        picture(folder / name)
        contents = (folder / name).read_bytes()
        (folder / name).write_bytes(contents[:len(contents) // 2])
    (folder / 'text.jpg').write_text('no image')
    (folder / 'text.mp4').write_text('no video')
    (folder / 'zero.webp').touch()
    (folder / 'notes.txt').write_text('not looked at')
    os.mkfifo(folder / 'pipe.jpg')
    result = run([folder, tmp_path / 'missing.jpg'])
    reasons = {path.name: reason for path, reason in result.skipped}
    damaged = [reasons.pop(f'half.{kind}') for kind in ('jpg', 'png')]
    damaged.append(reasons.pop('half.bmp'))
    assert all(reason.startswith('it is damaged') for reason in damaged)
    assert reasons == {
        'text.jpg': 'it is no image',
        'text.mp4': 'it is text and no video',
        'zero.webp': 'the file is empty',
        'pipe.jpg': 'not a file',
        'missing.jpg': 'no such file'
    }
    assert result.images == result.people == 2
    out = tmp_path / 'out'
    written = {p for p in out.rglob('*') if p.is_file()}
    assert written == {
        out / name for name in ('a.png', 'a.png.json', 'deep/z.jpg',
                                'deep/z.jpg.json')
    }
    assert result.summary().startswith(
        '2 images, 2 people, 8 files skipped, ')


def test_errors(run, weights, tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty/notes.txt').touch()
    with pytest.raises(ValueError, match=r"the folder '.*/empty', got no"):
        run(tmp_path / 'empty')
    with pytest.raises(ValueError, match='got none'):
        run([])
    for url in ('http://localhost/a.jpg', 'https://localhost/a.jpg',
                's3://a/b.jpg', 'file:///a.jpg', 'rtsp://localhost/a'):
        with pytest.raises(ValueError, match='nothing is downloaded'):
            run(url)
    picture(tmp_path / 'a.png')
    for url in ('https://localhost/a.pth', 'torchvision://resnet50'):
        with pytest.raises(ValueError, match='expected checkpoint to be'):
            predict(DEMO, url, tmp_path / 'a.png', tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='checkpoint to be a file'):
        predict(DEMO, 'nowhere.pth', tmp_path / 'a.png', tmp_path / 'out')
    with pytest.raises(FileNotFoundError, match='config to be a config'):
        predict('nowhere.py', weights, tmp_path / 'a.png',
                tmp_path / 'out')


def test_a_playlist_is_not_followed(run, tmp_path):
    """FFmpeg would read the file that it names."""
    secret = video(tmp_path / 'secret.avi')
    for name, text in (('h.mp4', '#EXTM3U\n#EXTINF:1,\n'),
                       ('c.mp4', 'ffconcat version 1.0\nfile ')):
        (tmp_path / 'in').mkdir(exist_ok=True)
        (tmp_path / 'in' / name).write_text(f'{text}{secret}\n')
    result = run(tmp_path / 'in')
    assert result.images == 0 and not result.files
    assert [reason for _, reason in result.skipped] == [
        'it is text and no video'] * 2


def test_an_odd_image_stops_nothing(run, tmp_path):
    """OpenCV does not warp more than 32767 px."""
    picture(tmp_path / 'in/a.png', height=4, width=33000)
    picture(tmp_path / 'in/b.png')
    result = run(tmp_path / 'in')
    assert result.images == 1 and result.people == 1
    [(path, _)] = result.skipped
    assert path.name == 'a.png'
    assert {p.name for p in result.files} == {'b.png', 'b.png.json'}
