"""Pictures of heatmaps and skeletons."""
import json
import runpy

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.apis import inference_topdown, init_model

from srpose_mm.inference import draw_heatmaps, visualize
from srpose_mm.inference.visualization import named_heatmaps, select_keypoints

from ..conftest import ROOT
from ..support.predict_helpers import (
    BOTTOM_UP,
    DEMO,
    SMALL_BOTTOM_UP,
    picture,
    save,
)

BOX = np.array([10, 20, 200, 180], dtype=np.float32)
COLUMNS = 7


@pytest.fixture
def toy(demo, toy_coco):
    """The demo's config on small data."""
    dataset = demo.test_dataloader.dataset
    dataset.data_root = str(toy_coco)
    dataset.bbox_file = str(
        toy_coco / 'person_detection_results' /
        'COCO_val2017_detections_AP_H_56_person.json')
    return demo


@pytest.fixture
def image(toy_coco):
    return str(sorted((toy_coco / 'val2017').iterdir())[0])


def shown(ax):
    """Return the array that an axis shows."""
    [shown] = ax.images
    return np.asarray(shown.get_array())


def by_rows(figure, columns=COLUMNS):
    return np.array(figure.axes).reshape(-1, columns)


def input_of(model, image):
    """Return the model's input; bottom-up models ignore the box."""
    packed = Compose(model.cfg.test_dataloader.dataset.pipeline)(
        dict(
            img_path=image,
            bbox=BOX[None],
            bbox_score=np.ones(1, np.float32),
            **model.dataset_meta))
    return model.data_preprocessor(pseudo_collate([packed]))['inputs']


def test_pictures_of_the_data_set(toy, weights, model, toy_coco, tmp_path):
    files = visualize(toy, weights, tmp_path, 2, device='cpu')
    images = sorted((toy_coco / 'val2017').iterdir())[:2]
    assert [file.name for file in files] == [
        f'{number:03d}_{path.stem}_{kind}'
        for number, path in enumerate(images)
        for kind in ('skeletons.jpg', 'heatmaps.png')
    ]
    source, drawn = cv2.imread(str(images[0])), cv2.imread(str(files[0]))
    assert drawn.shape == source.shape
    assert np.abs(drawn.astype(int) - source).max() > 50
    with pytest.raises(ValueError, match='got none; .* score 1.1 or more'):
        visualize(toy, weights, tmp_path, score_thr=1.1, device='cpu')


def test_rows_of_keypoints(model, image):
    figure = draw_heatmaps(model, image, BOX, ['left_wrist', 0])
    with torch.no_grad():
        maps = named_heatmaps(model, input_of(model, image))
        keypoints = model.head.decode(maps['HR'])[0].keypoints[0]
    assert list(maps) == ['LR', 'level 0', 'level 1', 'level 2', 'HR']
    rows = by_rows(figure)
    assert len(rows) == 2
    titles = [ax.get_title() for ax in rows[0]]
    assert titles == [
        'input 96x128', 'LR 3x4', 'level 0 24x32', 'level 1 24x32',
        'level 2 24x32', 'HR 96x128', 'keypoints'
    ]
    for row, number, name in zip(rows, (9, 0), ('left_wrist', 'nose')):
        for ax, heatmaps in zip(row[1:], maps.values()):
            np.testing.assert_allclose(
                shown(ax), heatmaps[0, number], atol=1e-6)
        assert row[0].texts[0].get_text().startswith(f'{name}\n')
        [dots] = row[-1].collections
        np.testing.assert_allclose(
            dots.get_offsets()[0], keypoints[number], rtol=1e-5)


def test_one_row_without_keypoints(model, image):
    figure = draw_heatmaps(model, image, BOX)
    with torch.no_grad():
        maps = named_heatmaps(model, input_of(model, image))
    [row] = by_rows(figure)
    np.testing.assert_allclose(
        shown(row[-2]), maps['HR'][0].amax(dim=0), atol=1e-6)
    assert len(row[-1].collections[0].get_offsets()) == 17


def test_a_head_of_one_level(demo, image):
    neck = demo.model.pop('neck')
    demo.model.head = dict(
        type='SRHead', in_channels=neck.in_channels[0], out_channels=17,
        deconv_out_channels=(8, 8, 8), deconv_kernel_sizes=(4, 4, 4),
        decoder=demo.codec)
    model = init_model(demo, device='cpu')
    with torch.no_grad():
        maps = named_heatmaps(model, input_of(model, image))
    assert list(maps) == ['HR']
    [row] = by_rows(draw_heatmaps(model, image, BOX), 3)
    np.testing.assert_allclose(
        shown(row[1]), maps['HR'][0].amax(dim=0), atol=1e-6)


@pytest.mark.parametrize('names', [None, 'abcd'])
def test_selected_channels(model, image, names, monkeypatch):
    """The keypoints that a model predicts are drawn with their names.

    The metainfo describes all channels, or the selected ones.
    """
    indices = [0, 5, 6, 11]
    monkeypatch.setitem(model.test_cfg, 'output_keypoint_indices', indices)
    if names:
        meta = dict(
            model.dataset_meta, keypoint_id2name=dict(enumerate(names)))
        monkeypatch.setattr(model, 'dataset_meta', meta)
    rows = by_rows(draw_heatmaps(model, image, BOX, ['all']))
    with torch.no_grad():
        maps = named_heatmaps(model, input_of(model, image))
    [sample] = inference_topdown(model, image, BOX[None])
    assert sample.pred_instances.keypoints.shape == (1, 4, 2)
    labels = [row[0].texts[0].get_text().split('\n')[0] for row in rows]
    assert labels == list(names or ['nose', 'left_shoulder', 'right_shoulder',
                                    'left_hip'])
    for row, channel in zip(rows, indices):
        for ax, heatmaps in zip(row[1:], maps.values()):
            np.testing.assert_allclose(
                shown(ax), heatmaps[0, channel], atol=1e-6)
    [row] = by_rows(draw_heatmaps(model, image, BOX))
    np.testing.assert_allclose(
        shown(row[-2]), maps['HR'][0, indices].amax(dim=0), atol=1e-6)
    assert len(row[-1].collections[0].get_offsets()) == 4


def test_names_of_keypoints():
    names = ['nose', 'neck', '7']
    assert select_keypoints(['all'], names) == [0, 1, 2]
    assert select_keypoints(['neck', '0', 2], names) == [1, 0, 2]
    for wrong in ('nek', '3', -1):
        with pytest.raises(ValueError, match=f'nose, neck, 7; got .*{wrong}'):
            select_keypoints(['nose', wrong], names)
    with pytest.raises(ValueError, match='got none'):
        select_keypoints([], names)


def test_unknown_keypoint_writes_nothing(toy, weights, tmp_path):
    with pytest.raises(ValueError, match='left_wrist.*got .*left_hand'):
        visualize(toy, weights, tmp_path / 'out', device='cpu',
                  keypoints=['left_hand'])
    assert not (tmp_path / 'out').exists()


def test_given_images_are_boxes(demo, weights, model, tmp_path):
    """The dataset is not read; without a default scope as well."""
    demo.test_dataloader.dataset.data_root = 'nothing'
    demo.default_scope = None
    DefaultScope._instance_dict.clear()
    for name in ('a.png', 'b.png'):
        picture(tmp_path / name, 60, 80)
    files = visualize(demo, weights, tmp_path / 'out', 1, device='cpu',
                      images=[tmp_path / 'a.png', tmp_path / 'b.png'])
    assert [file.name for file in files[2:]] == [
        '001_b_skeletons.jpg', '001_b_heatmaps.png'
    ]
    assert cv2.imread(str(files[2])).shape == (60, 80, 3)
    box = np.float32([0, 0, 80, 60])
    for one, two in zip(draw_heatmaps(model, tmp_path / 'a.png').axes,
                        draw_heatmaps(model, tmp_path / 'a.png', box).axes):
        np.testing.assert_array_equal(shown(one), shown(two))


def test_no_default_scope(model, image, monkeypatch):
    monkeypatch.setitem(model.cfg, 'default_scope', None)
    DefaultScope._instance_dict.clear()
    assert len(by_rows(draw_heatmaps(model, image, BOX))) == 1


def test_gray_input(demo, tmp_path):
    demo.model.backbone.in_channels = 1
    demo.model.data_preprocessor.update(
        mean=[120.], std=[60.], bgr_to_rgb=False)
    demo.test_dataloader.dataset.pipeline[0].color_type = 'grayscale'
    model = init_model(demo, None, device='cpu')
    weights = save(model, tmp_path / 'gray.pth')
    picture(tmp_path / 'a.png')
    files = visualize(demo, weights, tmp_path / 'out', device='cpu',
                      images=[tmp_path / 'a.png'])
    assert all(cv2.imread(str(file)) is not None for file in files)
    box = np.float32([0, 0, 64, 48])
    [row] = by_rows(draw_heatmaps(model, tmp_path / 'a.png', box))
    drawn = shown(row[0])
    assert drawn.shape == (128, 96, 3)
    np.testing.assert_array_equal(drawn, drawn[..., :1].repeat(3, axis=2))


def test_images_that_are_refused(weights, tmp_path):
    with pytest.raises(ValueError, match='nothing.jpg: .*no such file'):
        visualize(DEMO, weights, tmp_path, images=['nothing.jpg'])
    with pytest.raises(ValueError, match='demo.pth: .*neither an image nor'):
        visualize(DEMO, weights, tmp_path, images=[weights])
    with pytest.raises(ValueError, match='expected an image, got none'):
        visualize(DEMO, weights, tmp_path, images=[])


def test_bottom_up(bottom_up, image, tmp_path, monkeypatch):
    model, weights = bottom_up
    bias = model.head.sr_block.predictor.bias
    monkeypatch.setattr(bias, 'data', torch.full_like(bias, 0.5))
    files = visualize(
        BOTTOM_UP, weights, tmp_path, device='cpu', images=[image],
        cfg_options=SMALL_BOTTOM_UP)
    assert [file.name[-13:] for file in files] == [
        'skeletons.jpg', '_heatmaps.png'
    ]
    with torch.no_grad():
        heatmaps, tags = model.head(
            model.extract_feat(input_of(model, image)))
    instances = model.head.decode((heatmaps, tags))[0].keypoints
    assert len(instances) > 1
    [first] = by_rows(draw_heatmaps(model, image), 4)
    np.testing.assert_allclose(
        shown(first[1]), heatmaps[0].amax(dim=0), atol=1e-6)
    np.testing.assert_allclose(shown(first[2]), tags[0, 0], atol=1e-6)
    height, width = tags.shape[2:]
    assert first[2].get_title() == f'tags of nose {width}x{height}'
    assert first[3].get_title() == f'{len(instances)} instances'
    assert len(first[3].collections) == len(instances)
    [row] = by_rows(draw_heatmaps(model, image, keypoints=[5]), 4)
    np.testing.assert_allclose(shown(row[1]), heatmaps[0, 5], atol=1e-6)
    np.testing.assert_allclose(shown(row[2]), tags[0, 5], atol=1e-6)
    for dots, points in zip(row[3].collections, instances):
        np.testing.assert_allclose(dots.get_offsets()[0], points[5], rtol=1e-4)


def test_images_without_annotations(bottom_up, toy_coco, tmp_path):
    """The datasets of bottom-up models have such images."""
    source = toy_coco / 'annotations/person_keypoints_val2017.json'
    content = json.loads(source.read_text())
    content['annotations'] = content['annotations'][:1]
    (tmp_path / 'val.json').write_text(json.dumps(content))
    dataset = 'test_dataloader.dataset.'
    files = visualize(
        BOTTOM_UP, bottom_up[1], tmp_path / 'out', 2, device='cpu',
        cfg_options={
            **SMALL_BOTTOM_UP,
            f'{dataset}data_root': str(toy_coco),
            f'{dataset}ann_file': str(tmp_path / 'val.json')
        })
    assert len(files) == 4


def test_missing_annotations(bottom_up, tmp_path):
    with pytest.raises(FileNotFoundError, match='expected the test dataset of '
                       'the config, got: Annotation file .*nothing.*does '):
        visualize(
            BOTTOM_UP, bottom_up[1], tmp_path / 'out', 2, device='cpu',
            cfg_options={
                **SMALL_BOTTOM_UP,
                'test_dataloader.dataset.data_root': 'nothing'
            })


def regression_head(cfg):
    cfg.model.neck = dict(type='GlobalAveragePooling')
    cfg.model.head = dict(
        type='RegressionHead',
        in_channels=256,
        num_joints=17,
        decoder=dict(type='RegressionLabel', input_size=(96, 128)))


def dekr_head(cfg):
    cfg.model.type = 'BottomupPoseEstimator'
    cfg.model.neck = None
    cfg.model.head = dict(
        type='DEKRHead',
        in_channels=256,
        num_keypoints=17,
        decoder=dict(
            type='SPR', input_size=(128, 128), heatmap_size=(32, 32),
            sigma=(4, 2), generate_keypoint_heatmaps=True))


@pytest.mark.parametrize('change, reason', [
    (regression_head, 'got RegressionHead'),
    (dekr_head, 'got DEKRHead')
])
def test_models_without_heatmaps(change, reason, demo, tmp_path):
    change(demo)
    model = init_model(demo, None, device='cpu')
    weights = save(model, tmp_path / 'weights.pth')
    picture(tmp_path / 'a.png')
    with pytest.raises(TypeError, match=f'heatmaps .*{reason}'):
        visualize(demo, weights, tmp_path / 'out', device='cpu',
                  images=[tmp_path / 'a.png'])
    assert not (tmp_path / 'out').exists()


def test_tool(toy, weights, tmp_path, monkeypatch):
    main = runpy.run_path(str(ROOT / 'tools/visualize.py'))['main']
    monkeypatch.chdir(tmp_path)
    toy.dump('config.py')
    main(['config.py', str(weights), '--num-images', '1', '--device', 'cpu'])
    assert len(list((tmp_path / 'pictures').iterdir())) == 2
    with pytest.raises(SystemExit, match='visualize: expected keypoints'):
        main(['config.py', str(weights), '--keypoints', 'nek'])
