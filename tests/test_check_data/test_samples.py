"""Small datasets as they are published: no false alarm.

The samples are made up; their structure and peculiarities are those of the
samples that MMPose tests with.
"""
import numpy as np
import pytest
from mmpose.registry import DATASETS

from srpose_mm.check_data import check_dataset

from ..support.bad_data import COCO_INFO, FILE, SCHEMES, valid_content, write
from ..support.checked import config, faults

PARTS = dict(foot_kpts=6, face_kpts=68, lefthand_kpts=21, righthand_kpts=21)


def points(number, labelled=None):
    """Return x, y, 2 of keypoints in the box; 0, 0, 0 of the others."""
    rng = np.random.default_rng(number)
    values = np.full((number, 3), 2.)
    values[:, :2] = rng.uniform(20, 36, (number, 2)).round(2)
    if labelled is not None:
        values[~np.isin(np.arange(number), labelled)] = 0
    return values.ravel().tolist()


def whole_body(content):
    """The category names 17 of 133 keypoints; some parts are not labelled."""
    for entry in content['annotations']:
        for key, number in PARTS.items():
            entry[key] = points(number)
        entry['lefthand_kpts'] = [0.] * 63
        entry.update(face_valid=True, face_box=[19, 19, 18, 18])
    content['annotations'][2].update(
        face_valid=False, face_kpts=[0.] * 204, face_box=[0., 0., 0., 0.])


def human_art(content):
    """21 keypoints beside the 17 that the category names, no masks."""
    for entry in content['annotations']:
        entry.pop('segmentation')
        entry.update(
            keypoints_21=[*entry['keypoints'], *points(4)],
            num_keypoints_21=21, self_contact=[])


def ap10k(content):
    """Other spellings of the names, and many categories."""
    names = ['left_eye', 'right_eye', 'nose', 'neck', 'root_of_tail']
    for side in ('left', 'right'):
        names += [f'{side}_shoulder', f'{side}_elbow', f'{side}_front_paw']
    for side in ('left', 'right'):
        names += [f'{side}_hip', f'{side}_knee', f'{side}_back_paw']
    content['categories'] = [
        dict(id=number, name=f'animal {number}', keypoints=names)
        for number in range(1, 55)
    ]
    content['annotations'][0]['category_id'] = 26


def deepfashion2(content):
    """The category numbers 294 keypoints, of which one garment has 39."""
    content['categories'] = [
        dict(id=11, name='long_sleeved_dress',
             keypoints=[str(number) for number in range(1, 295)])
    ]
    for entry in content['annotations']:
        entry.update(category_id=11, num_keypoints=39,
                     keypoints=points(294, range(219, 256)))


SAMPLES = [
    ('CocoWholeBodyDataset', whole_body, dict(type='CocoWholeBodyMetric')),
    ('CocoWholeBodyFaceDataset', whole_body,
     dict(type='NME', norm_mode='keypoint_distance')),
    ('HumanArtDataset', human_art, dict(type='CocoMetric')),
    ('HumanArt21Dataset', human_art, dict(type='PCKAccuracy')),
    ('AP10KDataset', ap10k, dict(type='CocoMetric')),
    ('DeepFashion2Dataset', deepfashion2,
     [dict(type='PCKAccuracy'), dict(type='AUC'), dict(type='EPE')]),
]


@pytest.mark.parametrize('kind, change, metrics', SAMPLES)
def test_samples(kind, change, metrics, tmp_path):
    content = valid_content(tmp_path)
    change(content)
    write(tmp_path, content)
    assert len(DATASETS.build(
        config(tmp_path, type=kind).train_dataloader.dataset)) >= 2
    for scheme in SCHEMES:
        assert not faults(tmp_path, type=kind, data_mode=scheme)
    assert not faults(tmp_path, split='val', evaluator=metrics, type=kind,
                      test_mode=True)


CROWDPOSE = dict(type='CrowdPoseDataset')
FACE = dict(
    type='CocoDataset', data_prefix=dict(img='images'),
    metainfo=dict(from_file='configs/_base_/datasets/300w.py'))


@pytest.mark.parametrize('folder, file, dataset', [
    ('coco', 'test_coco.json', dict()),
    ('coco_mini', 'person_keypoints.json',
     dict(data_prefix=dict(img='images'))),
    ('crowdpose', 'test_crowdpose.json', CROWDPOSE),
    ('lspet', 'val.json', dict(CROWDPOSE, data_prefix=dict(img='images'))),
    ('mpii', 'test_mpii.json', dict(type='MpiiDataset')),
    ('face68', 'val.json', FACE),
])
def test_real_samples(folder, file, dataset, shared_data):
    root = shared_data(folder)
    dataset = dict(dataset, ann_file=file)
    assert not faults(root, **dataset)
    if folder in ('mpii', 'face68'):
        assert not faults(root, split='val', test_mode=True, **dataset,
                          evaluator=dict(type='PCKAccuracy'))
        return
    crowd = folder in ('crowdpose', 'lspet')
    metric = dict(type='CocoMetric', use_area=not crowd,
                  iou_type='keypoints_crowd' if crowd else 'keypoints',
                  ann_file=str(root / file))
    for scheme in SCHEMES:
        assert not faults(root, split='val', evaluator=metric, test_mode=True,
                          **dict(dataset, data_mode=scheme, pipeline=[]))


def converter(number, *pairs):
    return dict(
        type='KeypointConverter', num_keypoints=number, mapping=list(pairs))


def test_converter_in_the_pipeline_of_the_data_set(tmp_path):
    """The metainfo has the 17 keypoints after, the file 3 before it."""
    content = valid_content(tmp_path)
    for entry in content['annotations']:
        entry.update(keypoints=points(3), num_keypoints=3)
    content['categories'][0]['keypoints'] = ['a', 'b', 'c']
    write(tmp_path, content)
    steps = [converter(17, (0, 5), ((1, 2), 16))]
    assert not faults(tmp_path, pipeline=steps)
    metric = dict(type='PCKAccuracy')
    assert not faults(tmp_path, split='val', evaluator=metric, pipeline=steps)
    # CocoMetric reads 3 keypoints where the model predicts 17.
    fault, = faults(tmp_path, split='val', evaluator=dict(type='CocoMetric'),
                    test_mode=True, pipeline=steps)
    assert (fault.kind, fault.effect) == ('evaluation', 'stops')
    found = faults(tmp_path, pipeline=[converter(17, (3, 0))])
    assert {fault.kind for fault in found} == {'keypoint_count'}
    assert found[0].message == '3 keypoints, expected 4'


def test_converters_of_a_metric(tmp_path):
    """Dataset and metric convert 17 keypoints to 2."""
    write(tmp_path, valid_content(tmp_path))
    pairs = ((0, 1), (16, 0))
    metric = dict(
        type='CocoMetric', ann_file=str(tmp_path / FILE),
        gt_converter=dict(num_keypoints=2, mapping=list(pairs)))
    names = ['right_ankle', 'nose']
    info = dict(
        COCO_INFO, dataset_name='two', sigmas=[.1, .1], joint_weights=[1, 1],
        skeleton_info={}, keypoint_info={
            index: dict(name=name, id=index, swap='')
            for index, name in enumerate(names)
        })
    cfg = config(tmp_path, split='val', evaluator=metric, test_mode=True,
                 pipeline=[converter(2, *pairs)])
    cfg.val_dataloader.dataset = dict(
        type='CombinedDataset', metainfo=info,
        datasets=[cfg.val_dataloader.dataset])
    report, = check_dataset(cfg)
    assert not report.faults
