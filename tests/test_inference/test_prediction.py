"""What predict reads, skips, writes and returns."""
import os
import runpy

import cv2
import numpy as np
import pytest
import torch
from mmpose.apis import inference_bottomup, inference_topdown

from srpose_mm.configs import load_config
from srpose_mm.inference import predict

from ..conftest import ROOT
from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    assert_same,
    instances_of,
    load,
    phone_video,
    picture,
    read_video,
    save,
    video,
)


def test_an_image_is_one_instance(weights, model, tmp_path, log):
    path, out = tmp_path / 'a.png', tmp_path / 'out'
    image = picture(path)
    summary = predict(path, DEMO, weights, out, kpt_thr=-9., device='cpu')
    assert (summary.images, summary.instances, summary.skipped) == (1, 1, [])
    assert summary.files == [out / 'a.png', out / 'a.png.json']
    [instance] = instances_of(out / 'a.png.json')
    [sample] = inference_topdown(model, image)
    assert_same([instance], sample)
    assert_same([instance], inference_topdown(model, str(path))[0])
    assert instance['bbox'] == [0, 0, 64, 48] and instance['bbox_score'] == 1
    [instances] = summary.predictions[path]
    np.testing.assert_array_equal(instances.keypoints,
                                  sample.pred_instances.keypoints)
    meta = load(out / 'a.png.json')['meta']
    assert meta['source'] == str(path)
    assert meta['size'] == [64, 48] and meta['fps'] is None
    assert meta['keypoint_names'][:2] == ['nose', 'left_eye']
    assert len(meta['keypoint_names']) == 17
    assert [15, 13] in meta['skeleton_links']
    drawn = cv2.imread(str(out / 'a.png'))
    assert drawn.shape == image.shape and (drawn != image).any()
    # The user's file is logged, never a temporary one.
    assert log[0] == f'weights of {str(weights)!r} loaded'
    assert log[1].startswith('1 images, 1 instances, 0 files skipped, ')
    assert log[1].endswith(f'; results in {out}') and len(log) == 2


def test_nothing_is_written_without_a_folder(weights, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    picture(tmp_path / 'a.png')
    summary = predict('a.png', DEMO, weights, device='cpu')
    assert summary.instances == 1 and not summary.files
    assert [path.name for path in tmp_path.iterdir()] == ['a.png']


def test_videos(run, model, tmp_path):
    path = video(tmp_path / 'clip.avi')
    summary = run(path)
    assert (summary.images, summary.instances, summary.skipped) == (3, 3, [])
    content = load(tmp_path / 'out/clip.avi.json')
    assert content['meta']['fps'] == 7
    drawn = tmp_path / 'out/clip.avi.mp4'
    assert cv2.VideoCapture(str(drawn)).get(cv2.CAP_PROP_FPS) == 7
    frames = read_video(path)
    assert [frame.shape for frame in read_video(drawn)] == [(48, 64, 3)] * 3
    for index, frame in enumerate(content['predictions']):
        assert frame['frame_id'] == index
        assert_same(frame['instances'],
                    inference_topdown(model, frames[index])[0])


def test_phone_videos_are_predicted_upright(run, model, tmp_path):
    upright = phone_video(tmp_path / 'a.mp4', 2)
    run(tmp_path / 'a.mp4')
    content = load(tmp_path / 'out/a.mp4.json')
    assert content['meta']['size'] == [48, 64]
    for frame, image in zip(content['predictions'], upright):
        assert_same(frame['instances'], inference_topdown(model, image)[0])
    drawn = read_video(tmp_path / 'out/a.mp4')
    assert [frame.shape for frame in drawn] == [(64, 48, 3)] * 2


def test_json_only(run, tmp_path):
    picture(tmp_path / 'in/a.png')
    video(tmp_path / 'in/b.avi')
    summary = run(tmp_path / 'in', pictures=False)
    names = sorted(path.name for path in (tmp_path / 'out').iterdir())
    assert names == ['a.png.json', 'b.avi.json']
    assert summary.images == 4


def test_only_sure_keypoints_are_drawn(run, tmp_path):
    image = picture(tmp_path / 'a.png')
    run(tmp_path / 'a.png', kpt_thr=1e9)
    np.testing.assert_array_equal(
        cv2.imread(str(tmp_path / 'out/a.png')), image)


def test_files_that_cannot_be_read_are_skipped(run, tmp_path, log):
    folder = tmp_path / 'in'
    picture(folder / 'a.png')
    picture(folder / 'deep/z.jpg')
    picture(folder / 'half.jpg')
    contents = (folder / 'half.jpg').read_bytes()
    (folder / 'half.jpg').write_bytes(contents[:len(contents) // 2])
    (folder / 'text.jpg').write_text('no image')
    (folder / 'text.mp4').write_text('no video')
    (folder / 'zero.webp').touch()
    # No room for .json.
    picture(folder / f'{"x" * 250}.png')
    (folder / 'notes.txt').write_text('not looked at')
    os.mkfifo(folder / 'pipe.jpg')
    summary = run([folder, tmp_path / 'missing.jpg'])
    reasons = {path.name: reason for path, reason in summary.skipped}
    assert reasons.pop('half.jpg').startswith('it is damaged')
    unreadable = 'it is neither an image nor a video that OpenCV can read'
    assert reasons == {
        'text.jpg': unreadable,
        'text.mp4': unreadable,
        'zero.webp': 'the file is empty',
        f'{"x" * 250}.png': 'File name too long',
        'pipe.jpg': 'not a file',
        'missing.jpg': 'no such file'
    }
    assert summary.images == summary.instances == 2
    out = tmp_path / 'out'
    assert {path for path in out.rglob('*') if path.is_file()} == {
        out / name for name in ('a.png', 'a.png.json', 'deep/z.jpg',
                                'deep/z.jpg.json', f'{"x" * 250}.png')
    } == set(summary.files)
    assert str(summary).startswith('2 images, 2 instances, 7 files skipped, ')
    assert not any('unfinished' in message for message in log)
    assert f"skipped '{folder}/zero.webp': the file is empty" in log


def test_a_side_that_opencv_does_not_warp(run, tmp_path):
    """OpenCV 4 has a limit, of which the message tells; OpenCV 5 has none."""
    path = tmp_path / 'wide.png'
    picture(path, height=4, width=33000)
    summary = run(path)
    for skipped, reason in summary.skipped:
        assert skipped == path and 'SHRT_MAX' in reason
    assert summary.images + len(summary.skipped) == 1


def test_a_picture_that_cannot_be_encoded(run, tmp_path, monkeypatch):
    """For example a WebP of more than 16383 px, in OpenCV 5."""
    for name in 'ab':
        picture(tmp_path / 'in' / f'{name}.png')
    encode = cv2.imencode
    results = [(False, ())]
    monkeypatch.setattr(cv2, 'imencode', lambda *args: (
        results.pop() if results else encode(*args)))
    summary = run(tmp_path / 'in')
    [(path, reason)] = summary.skipped
    assert path.name == 'a.png' and 'cannot write it as .png' in reason
    assert summary.images == 1 and len(summary.files) == 2


def test_a_playlist_is_not_followed(run, tmp_path):
    """FFmpeg would read the file that it names."""
    secret = video(tmp_path / 'secret.avi')
    for name, text in (('h.mp4', '#EXTM3U\n#EXTINF:1,\n'),
                       ('c.mp4', 'ffconcat version 1.0\nfile ')):
        (tmp_path / 'in').mkdir(exist_ok=True)
        (tmp_path / 'in' / name).write_text(f'{text}{secret}\n')
    summary = run(tmp_path / 'in')
    assert summary.images == 0 and not summary.files
    assert len(summary.skipped) == 2


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
    summary = run(folder)
    assert summary.skipped == []
    drawn = [name.replace('.pgm', '.pgm.png') for name in names]
    wanted = {*drawn, '%02d -\n人.avi.mp4', '%02d -\n人.avi.json'}
    wanted |= {f'{name}.json' for name in names}
    out = tmp_path / 'out'
    written = {path for path in out.rglob('*') if path.is_file()}
    assert written == {out / name for name in wanted} == set(summary.files)
    assert {path.name for path in tmp_path.iterdir()} == {'in', 'out'}

    # As files, from within their folder.
    monkeypatch.chdir(folder)
    again = run(['-x.jpg', '..foo.jpg', './/a.jpg', '../in/a b.jpg'])
    assert not again.skipped and len(again.files) == 8


def test_nothing_is_written_through_a_link(run, tmp_path):
    for name in ('in/sub/a.png', 'in/b.png', 'in/c.png'):
        picture(tmp_path / name)
    elsewhere, out = tmp_path / 'elsewhere', tmp_path / 'out'
    elsewhere.mkdir()
    out.mkdir()
    (elsewhere / 'b.json').write_text('mine')
    (out / 'sub').symlink_to(elsewhere)
    (out / 'b.png.json').symlink_to(elsewhere / 'b.json')
    summary = run(tmp_path / 'in')
    skipped = {path.name: reason for path, reason in summary.skipped}
    assert set(skipped) == {'a.png', 'b.png'}
    for name, reason in skipped.items():
        assert name in reason and 'out of out_dir' in reason
    assert (elsewhere / 'b.json').read_text() == 'mine'
    assert len(list(elsewhere.iterdir())) == 1
    assert instances_of(out / 'c.png.json')


def test_results_are_no_inputs(run, tmp_path):
    """Predict twice on the folder around ``out_dir``."""
    picture(tmp_path / 'a.png')
    for _ in range(2):
        summary = run(tmp_path)
        assert summary.images == 1 and len(summary.files) == 2


def test_bottom_up(bottom_up, tmp_path):
    model, weights = bottom_up
    image = picture(tmp_path / 'a.png', 80, 120)
    summary = predict(
        tmp_path / 'a.png',
        BOTTOM_UP,
        weights,
        tmp_path / 'out',
        device='cpu',
        cfg_options=SMALL_BOTTOM_UP)
    [sample] = inference_bottomup(model, image)
    instances = instances_of(tmp_path / 'out/a.png.json')
    assert summary.instances == len(instances)
    assert_same(instances, sample)
    np.testing.assert_allclose(
        [instance['bbox_score'] for instance in instances],
        sample.pred_instances.bbox_scores)
    for instance in instances:
        x, y = np.transpose(instance['keypoints'])
        assert instance['bbox'] == [x.min(), y.min(), x.max(), y.max()]


def test_numbers_that_are_not_finite(weights, tmp_path):
    contents = torch.load(weights)
    list(contents['state_dict'].values())[-1].fill_(3e38)
    torch.save(contents, tmp_path / 'bad.pth')
    picture(tmp_path / 'a.png')
    out = tmp_path / 'out'
    summary = predict(
        tmp_path / 'a.png', DEMO, tmp_path / 'bad.pth', out, device='cpu')
    assert 'not finite' in summary.skipped[0][1]
    assert not list(out.iterdir())


def test_the_checkpoint_names_the_keypoints(weights, model, tmp_path):
    meta = dict(model.dataset_meta, dataset_name='mine')
    path = save(model, tmp_path / 'weights.pth', dataset_meta=meta)
    picture(tmp_path / 'a.png')
    predict(tmp_path / 'a.png', DEMO, path, tmp_path / 'out', device='cpu')
    content = load(tmp_path / 'out/a.png.json')
    assert content['meta']['dataset'] == 'mine'


def test_tool(weights, model, tmp_path, monkeypatch):
    main = runpy.run_path(str(ROOT / 'tools/predict.py'))['main']
    monkeypatch.chdir(tmp_path)
    image = picture(tmp_path / 'in/a.png')
    model_of = ['--config', str(DEMO), '--checkpoint', str(weights)]
    argv = ['in', *model_of, '--device', 'cpu']
    main([*argv, '--no-pictures', '--cfg-options',
          'model.test_cfg.flip_test=False'])
    assert [path.name for path in (tmp_path / 'predictions').iterdir()
            ] == ['a.png.json']
    with_flip = inference_topdown(model, image)[0].pred_instances.keypoints
    monkeypatch.setitem(model.test_cfg, 'flip_test', False)
    [sample] = inference_topdown(model, image)
    assert_same(instances_of(tmp_path / 'predictions/a.png.json'), sample)
    assert (with_flip != sample.pred_instances.keypoints).any()
    (tmp_path / 'in/b.png').touch()
    with pytest.raises(SystemExit) as err:
        main(argv)
    assert err.value.code == 1
    with pytest.raises(SystemExit, match='predict: expected inputs to be'):
        main(['https://localhost/a.jpg', *model_of])


def test_weights_of_the_package(tmp_path):
    picture(tmp_path / 'a.png')
    summary = predict(tmp_path / 'a.png', device='cpu')
    [instances], = summary.predictions.values()
    assert instances.keypoints.shape == (1, 14, 2)
    assert np.isfinite(instances.keypoints).all()


def test_configs_without_weights_need_a_checkpoint(tmp_path):
    picture(tmp_path / 'a.png')
    with pytest.raises(ValueError, match='expected a checkpoint for .*toy'):
        predict(tmp_path / 'a.png', DEMO)
    with pytest.raises(ValueError, match='for a loaded config, got None'):
        predict(tmp_path / 'a.png', load_config(DEMO))
