import json

import cv2
import numpy as np
import pytest
from mmpose.registry import DATASETS, METRICS

from srpose_mm.testing import crowd_index, draw_scene, make_toy_dataset

COCO_TRAIN = 'annotations/person_keypoints_train2017.json'
COCO_VAL = 'annotations/person_keypoints_val2017.json'
COCO_BOXES = ('person_detection_results/'
              'COCO_val2017_detections_AP_H_56_person.json')


def read(path):
    return json.loads(path.read_text())


def test_coco_layout_loads_as_coco(toy_coco):
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(toy_coco),
            data_mode='topdown',
            ann_file=COCO_TRAIN,
            data_prefix=dict(img='train2017/')))
    content = read(toy_coco / COCO_TRAIN)
    assert len(content['images']) == 6
    assert len(dataset) == len(content['annotations']) >= 6
    assert content['categories'][0]['keypoints'][:3] == [
        'nose', 'left_eye', 'right_eye'
    ]
    info = dataset.get_data_info(0)
    assert cv2.imread(info['img_path']).shape == (256, 320, 3)
    assert info['keypoints'].shape == (1, 17, 2)


def test_crowdpose_layout_loads_as_crowdpose(toy_crowdpose):
    dataset = DATASETS.build(
        dict(
            type='CrowdPoseDataset',
            data_root=str(toy_crowdpose),
            data_mode='topdown',
            ann_file='annotations/mmpose_crowdpose_test.json',
            bbox_file=str(
                toy_crowdpose /
                'annotations/det_for_crowd_test_0.1_0.5.json'),
            data_prefix=dict(img='images/'),
            test_mode=True))
    assert len(dataset) >= 4
    content = read(toy_crowdpose / 'annotations/mmpose_crowdpose_test.json')
    assert all(0 <= i['crowdIndex'] <= 1 for i in content['images'])
    names = content['categories'][0]['keypoints']
    assert len(names) == 14 and names[12:] == ['top_head', 'neck']


def test_annotations_as_predictions_have_ap_1(toy_coco):
    metric = METRICS.build(
        dict(type='CocoMetric', ann_file=str(toy_coco / COCO_VAL)))
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(toy_coco),
            data_mode='topdown',
            ann_file=COCO_VAL,
            data_prefix=dict(img='val2017/'),
            test_mode=True))
    metric.dataset_meta = dataset.metainfo
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    metric.process([], [
        dict(
            id=info['id'],
            img_id=info['img_id'],
            gt_instances=dict(),
            pred_instances=dict(
                keypoints=info['keypoints'],
                keypoint_scores=info['keypoints_visible'],
                bbox_scores=info['bbox_score'],
                bboxes=info['bbox'],
                areas=np.array([info['area']]))) for info in infos
    ])
    assert metric.evaluate(len(infos))['coco/AP'] == pytest.approx(1)


def test_annotations_are_consistent(toy_coco):
    for name in (COCO_TRAIN, COCO_VAL):
        content = read(toy_coco / name)
        sizes = {i['id']: (i['width'], i['height']) for i in content['images']}
        for entry in content['annotations']:
            points = np.array(entry['keypoints']).reshape(17, 3)
            labelled = points[points[:, 2] > 0]
            assert len(labelled) == entry['num_keypoints'] > 0
            x, y = labelled[:, :2].T
            width, height = sizes[entry['image_id']]
            assert x.min() >= -0.5 and x.max() < width - 0.5
            assert y.min() >= -0.5 and y.max() < height - 0.5
            assert not points[points[:, 2] == 0].any()
            bx, by, bw, bh = entry['bbox']
            assert 0 < entry['area'] <= bw * bh
            # Joints are inside the body, so inside its box.
            assert bx - 1 <= x.min() and x.max() <= bx + bw + 1
            assert by - 1 <= y.min() and y.max() <= by + bh + 1


def test_detections_match_instances(toy_coco):
    boxes = read(toy_coco / COCO_BOXES)
    entries = read(toy_coco / COCO_VAL)['annotations']
    strong = [box for box in boxes if box['score'] > 0.5]
    assert len(strong) == len(entries)
    for box, entry in zip(strong, entries):
        assert box['image_id'] == entry['image_id']
        error = np.abs(np.subtract(box['bbox'], entry['bbox']))
        assert error.max() < 0.2 * max(entry['bbox'][2:])


def test_same_seed_same_files(tmp_path):
    first, second, third = (
        make_toy_dataset(
            tmp_path / str(i), num_train=2, num_val=1, seed=seed)
        for i, seed in enumerate([5, 5, 6]))
    files = [p.relative_to(first) for p in first.rglob('*') if p.is_file()]
    assert len(files) == 3 + 3
    for file in files:
        assert (first / file).read_bytes() == (second / file).read_bytes()
    assert (first / COCO_TRAIN).read_bytes() != (third /
                                                 COCO_TRAIN).read_bytes()


def test_hidden_joints_are_marked_hidden():
    """The face of the figure in front is visible; a covered joint is not."""
    rng = np.random.default_rng(0)
    flags = []
    for _ in range(30):
        _, figures = draw_scene(rng, (320, 256), 3)
        flags += [flag for f in figures for flag in f.visible.values()]
        front = figures[-1]
        for joint in ('nose', 'left_eye', 'right_eye'):
            x, y = front.joints[joint]
            inside = 0 <= x < 319 and 0 <= y < 255
            # Only arms of the figure are in front of its face.
            assert front.visible[joint] == 2 or not inside, joint
    counts = np.bincount(flags, minlength=3) / len(flags)
    assert counts[1] > 0.005 and counts[0] > 0.001 and counts[2] > 0.8


def test_crowd_index():

    def entry(x, points):
        keypoints = [v for point in points for v in (*point, 2)]
        return dict(bbox=[x, 0, 10, 10], keypoints=keypoints)

    a = entry(0, [(1, 1), (2, 2)])
    b = entry(5, [(6, 6), (12, 1), (13, 1), (14, 1)])
    # One of b's keypoints is in a's box (1 / 2), none of a's in b's (0 / 4).
    assert crowd_index([a, b]) == pytest.approx((1 / 2 + 0) / 2)
    assert crowd_index([a]) == 0
    assert crowd_index([]) == 0


def test_bad_arguments(tmp_path):
    with pytest.raises(ValueError, match="layout to be one of .* got 'mpii'"):
        make_toy_dataset(tmp_path, layout='mpii')
    with pytest.raises(ValueError, match='positive num_train, num_val, .* got '
                       r'\(800, 0, 3, 320, 256\)'):
        make_toy_dataset(tmp_path, num_val=0)


def test_annotations_of_another_data_set_stay(tmp_path):
    numbers = dict(num_train=1, num_val=1)
    make_toy_dataset(tmp_path, **numbers)
    make_toy_dataset(tmp_path, **numbers, seed=1)
    other = tmp_path / COCO_VAL
    other.write_text('{"info": {"description": "COCO 2017 Dataset"}}')
    with pytest.raises(FileExistsError, match='expected a folder without '
                       'annotations of another dataset, got one with'):
        make_toy_dataset(tmp_path, **numbers)
    assert 'COCO 2017' in other.read_text()
