from importlib import import_module

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmpose.apis import init_model
from mmpose.registry import MODELS

from srpose_mm.apis import draw_heatmaps, visualize
from srpose_mm.inference.draw_heatmaps import named_heatmaps, select_keypoints

from ..conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))
BOTTOM_UP = CONFIGS / ('body_2d_keypoint/sr_head/coco/'
                       'ae-sr_res50_8xb24-300e_coco-512x512.py')
BOX = np.array([10, 20, 200, 180], dtype=np.float32)


@pytest.fixture
def demo(toy_coco, tmp_path):
    """The demo's config on small data, and initial weights for it."""
    cfg = Config.fromfile(DEMO)
    dataset = cfg.test_dataloader.dataset
    dataset.data_root = str(toy_coco)
    dataset.bbox_file = str(
        toy_coco / 'person_detection_results' /
        'COCO_val2017_detections_AP_H_56_person.json')
    model = MODELS.build(cfg.model)
    torch.nn.init.normal_(model.head.sr_blocks[-1].predictor.weight)
    checkpoint = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return cfg, checkpoint, model.eval()


@pytest.fixture
def bottom_up(toy_coco, tmp_path):
    """A small bottom-up model on small data, that finds people anywhere."""
    cfg = Config.fromfile(BOTTOM_UP)
    cfg.test_dataloader.dataset.data_root = str(toy_coco)
    cfg.test_dataloader.dataset.pipeline[1].input_size = (128, 128)
    size = dict(input_size=(128, 128), heatmap_size=(128, 128), sigma=2)
    cfg.model.backbone.update(depth=18, init_cfg=None)
    cfg.model.head.update(in_channels=512, deconv_out_channels=(16, 16, 16))
    cfg.model.head.decoder.update(size)
    model = MODELS.build(cfg.model)
    torch.nn.init.constant_(model.head.sr_block.predictor.bias, 0.5)
    checkpoint = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return cfg, checkpoint


@pytest.fixture
def picture(toy_coco):
    return str(sorted((toy_coco / 'val2017').iterdir())[0])


def check_pictures(files, number, folder):
    assert len(files) == number
    assert {file.parent for file in files} == {folder}
    for file in files:
        image = cv2.imread(str(file))
        assert image is not None and image.std() > 10


def shown(ax):
    """The map that an axis shows."""
    image, = ax.images
    return np.asarray(image.get_array())


def by_rows(figure, columns):
    return np.array(figure.axes).reshape(-1, columns)


def batch_of(model, picture):
    """The model's input of a picture; bottom-up models ignore the box."""
    packed = Compose(model.cfg.test_dataloader.dataset.pipeline)(
        dict(
            img_path=picture,
            bbox=BOX[None],
            bbox_score=np.ones(1, np.float32),
            **model.dataset_meta))
    return model.data_preprocessor(pseudo_collate([packed]))['inputs']


def test_pictures(demo, toy_coco, tmp_path):
    cfg, checkpoint, _ = demo
    files = visualize(cfg, checkpoint, tmp_path / 'out', 2, device='cpu')
    check_pictures(files, 4, tmp_path / 'out')
    drawn = cv2.imread(str(files[0]))
    name = files[0].name.replace('_skeletons', '').split('_', 1)[1]
    source = cv2.imread(str(toy_coco / 'val2017' / name))
    assert drawn.shape == source.shape
    assert np.abs(drawn.astype(int) - source).max() > 50


def test_maps_from_coarse_to_fine(demo):
    _, _, model = demo
    with torch.no_grad():
        maps = named_heatmaps(model, torch.randn(1, 3, 128, 96))
    assert list(maps) == ['LR', 'level 0', 'level 1', 'level 2', 'HR']
    heights = [m.shape[2] for m in maps.values()]
    assert heights == sorted(heights) and heights[-1] == 128


def test_rows_of_keypoints(demo, picture):
    cfg, checkpoint, _ = demo
    model = init_model(cfg, str(checkpoint), device='cpu')
    figure = draw_heatmaps(model, picture, BOX, ['left_wrist', 0])
    with torch.no_grad():
        maps = named_heatmaps(model, batch_of(model, picture))
        keypoints = model.head.decode(maps['HR'])[0].keypoints[0]
    rows = by_rows(figure, 7)
    assert len(rows) == 2
    titles = [ax.get_title() for ax in rows[0]]
    assert titles[0] == 'input 96x128' and titles[-1] == 'keypoints'
    assert titles[5] == 'HR 96x128'
    for row, number, name in zip(rows, (9, 0), ('left_wrist', 'nose')):
        for ax, heatmaps in zip(row[1:], maps.values()):
            np.testing.assert_allclose(
                shown(ax), heatmaps[0, number], atol=1e-6)
        assert row[0].texts[0].get_text().startswith(f'{name}\n')
        dots, = row[-1].collections
        np.testing.assert_allclose(
            dots.get_offsets()[0], keypoints[number], rtol=1e-5)


def test_one_row_without_keypoints(demo, picture):
    cfg, checkpoint, _ = demo
    model = init_model(cfg, str(checkpoint), device='cpu')
    figure = draw_heatmaps(model, picture, BOX)
    with torch.no_grad():
        maps = named_heatmaps(model, batch_of(model, picture))
    highest = maps['HR'][0].amax(dim=0)
    rows = by_rows(figure, 7)
    assert len(rows) == 1
    np.testing.assert_allclose(shown(rows[0, -2]), highest, atol=1e-6)
    assert len(rows[0, -1].collections[0].get_offsets()) == 17


def test_names_of_keypoints():
    names = ['nose', 'neck', '7']
    assert select_keypoints(['all'], names) == [0, 1, 2]
    assert select_keypoints(['neck', '0', 2], names) == [1, 0, 2]
    for wrong in ('nek', '3', -1):
        with pytest.raises(
                ValueError, match=f'nose, neck, 7; got .*{wrong}'):
            select_keypoints(['nose', wrong], names)
    with pytest.raises(ValueError, match='got none'):
        select_keypoints([], names)


def test_unknown_keypoint_writes_nothing(demo, tmp_path):
    cfg, checkpoint, _ = demo
    with pytest.raises(ValueError, match='left_wrist.*got .*left_hand'):
        visualize(cfg, checkpoint, tmp_path / 'out', device='cpu',
                  keypoints=['left_hand'])
    assert not (tmp_path / 'out').exists()


def test_given_images_are_whole_boxes(demo, tmp_path, monkeypatch):
    """Without the data set; its boxes play no part."""
    cfg, checkpoint, _ = demo
    cfg.test_dataloader.dataset.data_root = 'nothing'
    image = np.random.randint(0, 255, (60, 80, 3), np.uint8)
    for name in ('a.png', 'b.png'):
        cv2.imwrite(str(tmp_path / name), image)
    boxes = []

    def spy(model, path, box, keypoints):
        boxes.append(box)
        return draw_heatmaps(model, path, box, keypoints)

    monkeypatch.setattr(
        import_module('srpose_mm.inference.visualize'), 'draw_heatmaps', spy)
    files = visualize(cfg, checkpoint, tmp_path / 'out', 1, device='cpu',
                      images=[tmp_path / 'a.png', tmp_path / 'b.png'])
    check_pictures(files, 4, tmp_path / 'out')
    assert files[3].name == '001_b_heatmaps.png'
    np.testing.assert_array_equal(boxes, 2 * [[0, 0, 80, 60]])


def test_bad_images(demo, tmp_path):
    cfg, checkpoint, _ = demo
    with pytest.raises(FileNotFoundError, match='images .*nothing.jpg'):
        visualize(cfg, checkpoint, tmp_path, images=['nothing.jpg'])
    with pytest.raises(ValueError, match='weights.pth.* cannot be read'):
        visualize(cfg, checkpoint, tmp_path, images=[checkpoint])
    with pytest.raises(ValueError, match='images to name a file, got none'):
        visualize(cfg, checkpoint, tmp_path, images=[])


def test_bottom_up(bottom_up, tmp_path, picture):
    cfg, checkpoint = bottom_up
    files = visualize(cfg, checkpoint, tmp_path / 'out', 1, device='cpu')
    check_pictures(files, 2, tmp_path / 'out')
    model = init_model(cfg, str(checkpoint), device='cpu')
    with torch.no_grad():
        heatmaps, tags = model.head(
            model.extract_feat(batch_of(model, picture)))
    people = model.head.decode((heatmaps, tags))[0].keypoints
    assert len(people) > 1
    first, = by_rows(draw_heatmaps(model, picture), 4)
    np.testing.assert_allclose(
        shown(first[1]), heatmaps[0].amax(dim=0), atol=1e-6)
    np.testing.assert_allclose(shown(first[2]), tags[0, 0], atol=1e-6)
    height, width = tags.shape[2:]
    assert first[2].get_title() == f'tags of nose {width}x{height}'
    assert first[3].get_title() == f'{len(people)} people'
    assert len(first[3].collections) == len(people)
    row, = by_rows(draw_heatmaps(model, picture, keypoints=[5]), 4)
    np.testing.assert_allclose(shown(row[1]), heatmaps[0, 5], atol=1e-6)
    np.testing.assert_allclose(shown(row[2]), tags[0, 5], atol=1e-6)
    for dots, person in zip(row[3].collections, people):
        np.testing.assert_allclose(dots.get_offsets()[0], person[5], rtol=1e-4)


def test_model_without_heatmaps(demo, tmp_path):
    cfg, checkpoint, _ = demo
    cfg.model.neck = dict(type='GlobalAveragePooling')
    cfg.model.head = dict(
        type='RegressionHead',
        in_channels=256,
        num_joints=17,
        decoder=dict(type='RegressionLabel', input_size=(96, 128)))
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    with pytest.raises(TypeError, match='heatmaps .*got RegressionHead'):
        visualize(cfg, checkpoint, tmp_path / 'out', 1, device='cpu')


def test_other_bottom_up_models(bottom_up, tmp_path):
    cfg, checkpoint = bottom_up
    cfg.model.head = dict(
        type='DEKRHead',
        in_channels=512,
        num_keypoints=17,
        decoder=dict(
            type='SPR', input_size=(128, 128), heatmap_size=(32, 32),
            sigma=(4, 2), generate_keypoint_heatmaps=True))
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    with pytest.raises(TypeError, match='top-down .*got BottomupPoseEstimator '
                       'with DEKRHead'):
        visualize(cfg, checkpoint, tmp_path, device='cpu')


def test_no_box_is_an_error(demo, tmp_path):
    cfg, checkpoint, _ = demo
    with pytest.raises(ValueError, match='no box with a score of 1.1'):
        visualize(cfg, checkpoint, tmp_path, score_thr=1.1, device='cpu')
