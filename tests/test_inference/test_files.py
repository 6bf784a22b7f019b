"""Which files are read, how, and what their results are called."""
import cv2
import numpy as np
import pytest
from PIL import Image

from srpose_mm.inference.files import (
    SkippedFile,
    find_sources,
    read_frames,
    read_image,
    result_file,
)

from ..support.predict_helpers import phone_video, picture, video


@pytest.mark.parametrize('ending, codec', {
    '.wmv': 'WMV2', '.asf': 'WMV2', '.flv': 'FLV1', '.3gp': 'mp4v',
    '.ts': 'mpg2', '.mts': 'mpg2', '.m2ts': 'mpg2', '.vob': 'mpg2',
    '.mkv': 'mp4v', '.dat': 'MJPG'
}.items())
def test_opencv_decides_what_a_video_is(ending, codec, tmp_path):
    """Also within a folder, where text and other files are left out."""
    container = '.avi' if ending == '.dat' else ending
    path = video(tmp_path / f'a{container}', 3, codec)
    path = path.rename(tmp_path / f'a{ending}')
    (tmp_path / 'notes.txt').write_text('no video')
    (tmp_path / 'array.npy').write_bytes(bytes(range(200)))
    for inputs in ([path], [tmp_path]):
        [source] = find_sources(inputs, None)
        assert source.path == path and source.is_video
        assert source.picture.name == f'a{ending}.mp4'
    frames, fps, _ = read_frames(source, {})
    assert len(list(frames)) == 3 and fps > 0


def test_frames_of_phones_are_upright(tmp_path):
    upright = phone_video(tmp_path / 'a.mp4')
    [source] = find_sources([tmp_path / 'a.mp4'], None)
    frames, fps, total = read_frames(source, {})
    np.testing.assert_array_equal(list(frames), upright)
    assert upright[0].shape == (64, 48, 3) and (fps, total) == (7, 3)


def test_images_are_upright(tmp_path):
    image = Image.new('RGB', (40, 20))
    exif = image.getexif()
    exif[0x0112] = 6
    image.save(tmp_path / 'a.jpg', exif=exif)
    assert read_image(tmp_path / 'a.jpg').shape == (40, 20, 3)


@pytest.mark.parametrize('channels', [1, 4])
def test_gray_and_alpha(channels, tmp_path):
    pixels = picture(tmp_path / 'a.png', channels=channels)
    color = cv2.merge([pixels] * 3) if channels == 1 else pixels[..., :3]
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), color)
    gray = read_image(tmp_path / 'a.png', 'grayscale')
    assert gray.shape == color.shape and (gray == gray[..., :1]).all()


def test_large_images_are_not_damaged(tmp_path, monkeypatch):
    """Pillow raises an error for more than twice its limit."""
    pixels = picture(tmp_path / 'a.png')
    monkeypatch.setattr(Image, 'MAX_IMAGE_PIXELS', 1000)
    np.testing.assert_array_equal(read_image(tmp_path / 'a.png'), pixels)


@pytest.mark.parametrize('ending', ['.jpg', '.png', '.bmp'])
def test_truncated_images_are_damaged(ending, tmp_path):
    path = tmp_path / f'a{ending}'
    picture(path)
    path.write_bytes(path.read_bytes()[:path.stat().st_size // 2])
    with pytest.raises(SkippedFile, match='it is damaged'):
        read_image(path)


def test_a_name_that_opencv_cannot_take(tmp_path):
    """OpenCV crashes; images are read by Python."""
    path = tmp_path / '\udcff'
    pixels = picture(path.with_suffix('.png'))
    video(tmp_path / 'a.avi').rename(path.with_suffix('.avi'))
    sources = find_sources([tmp_path], None)
    assert not any(source.is_video for source in sources)
    np.testing.assert_array_equal(read_image(sources[1].path), pixels)
    with pytest.raises(SkippedFile, match='neither an image nor a video'):
        read_image(sources[0].path)


def test_names_of_results(tmp_path):
    for name in ('x/a.jpg', 'x/A.JPG', 'x/y/a.jpg', 'x/b.pgm'):
        picture(tmp_path / name, channels=1)
    video(tmp_path / 'c.avi', 1).rename(tmp_path / 'x/c.avi')
    sources = find_sources([tmp_path / 'x'], None)
    assert [source.picture.as_posix() for source in sources] == [
        'A.JPG', 'a.jpg', 'b.pgm.png', 'c.avi.mp4', 'y/a.jpg'
    ]
    assert [source.predictions.as_posix() for source in sources[2:]] == [
        'b.pgm.json', 'c.avi.json', 'y/a.jpg.json'
    ]


def test_no_two_results_share_a_name(tmp_path):
    for name in ('x/a.jpg', 'y/a.jpg', 'x/b.pgm', 'x/b.pgm.png'):
        picture(tmp_path / name, channels=1)
    for inputs, name in ((['x/a.jpg', 'y'], 'a.jpg'), (['y', 'y'], 'a.jpg'),
                         (['x'], 'b.pgm.png')):
        with pytest.raises(ValueError, match=f"2 inputs for '{name}'; name"):
            find_sources([tmp_path / path for path in inputs], tmp_path / 'o')
    assert len(find_sources([tmp_path / 'y'] * 2, None)) == 2


@pytest.mark.parametrize('name', ['../x', '/tmp/x', 'a/../../x', '..'])
def test_the_folder_is_not_left(name, tmp_path):
    with pytest.raises(SkippedFile, match='out of out_dir'), result_file(
            tmp_path / 'out', name):
        pass
    assert not list(tmp_path.iterdir())


def test_inputs_that_are_refused(tmp_path):
    (tmp_path / 'empty').mkdir()
    (tmp_path / 'empty/notes.txt').write_text('no image')
    with pytest.raises(ValueError, match=r"the folder '.*/empty', got none"):
        find_sources([tmp_path / 'empty'], None)
    with pytest.raises(ValueError, match='got none'):
        find_sources([], None)
    for url in ('http://localhost/a.jpg', 's3://a/b.jpg', 'file:///a.jpg',
                'rtsp://localhost/a'):
        with pytest.raises(ValueError, match='download it first'):
            find_sources([url], None)
    picture(tmp_path / 'a.png')
    with pytest.raises(ValueError, match=r"'a.png' is one of them"):
        find_sources([tmp_path / 'a.png'], tmp_path)
