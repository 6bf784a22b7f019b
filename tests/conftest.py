"""Shared fixtures: seeds, paths and the small datasets of the tests."""
import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.registry import DefaultScope, init_default_scope
from scipy.io import savemat

import srpose_mm  # noqa: F401  registers what the tests build

ROOT = Path(__file__).resolve().parent.parent
CONFIGS = ROOT / 'configs'
SHARED_DATA = ROOT.parent / 'shared' / 'data'


@pytest.fixture(autouse=True)
def _seed():
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _default_scope():
    init_default_scope('mmpose')
    yield
    DefaultScope._instance_dict.clear()


@pytest.fixture(scope='session')
def shared_data():
    """Path of a real dataset, or a skip that names it."""

    def find(name):
        path = SHARED_DATA / name
        if not path.is_dir():
            pytest.skip(f'needs the real images of shared/data/{name}')
        return path

    return find


@pytest.fixture(scope='session')
def toy_coco(tmp_path_factory):
    """A toy dataset in COCO layout, small."""
    from srpose_mm.apis import make_toy_dataset
    return make_toy_dataset(
        tmp_path_factory.mktemp('toy_coco'), num_train=6, num_val=4)


@pytest.fixture(scope='session')
def toy_crowdpose(tmp_path_factory):
    """A toy dataset in CrowdPose layout, small."""
    from srpose_mm.apis import make_toy_dataset
    return make_toy_dataset(
        tmp_path_factory.mktemp('toy_crowdpose'),
        layout='crowdpose',
        num_train=6,
        num_val=4)


@pytest.fixture(scope='session')
def toy_mpii(toy_coco, tmp_path_factory):
    """The figures of ``toy_coco`` in MPII's format.

    Pelvis, thorax and neck of the 16 joints are means of other joints.
    """
    root = tmp_path_factory.mktemp('toy_mpii')
    (root / 'annotations').mkdir()
    (root / 'images').symlink_to(toy_coco / 'train2017')
    content = json.loads(
        (toy_coco / 'annotations/person_keypoints_train2017.json').read_text())
    annotations, boxes = [], []
    for entry in content['annotations']:
        points = np.array(entry['keypoints']).reshape(17, 3)
        hips, shoulders = points[11:13].mean(0), points[5:7].mean(0)
        order = [16, 14, 12, 11, 13, 15]
        arms = points[[10, 8, 6, 5, 7, 9]]
        joints = np.stack([
            *points[order], hips, shoulders, points[:5].mean(0), points[0],
            *arms
        ])
        x, y, w, h = entry['bbox']
        annotations.append(
            dict(
                image=f'{entry["image_id"]:012d}.jpg',
                center=[x + w / 2, y + h / 2],
                scale=max(w, h) / 200,
                joints=joints[:, :2].tolist(),
                joints_vis=(joints[:, 2] > 0).astype(int).tolist()))
        boxes.append([[x, y], [x + w / 6, y + h / 6]])
    for name in ('mpii_train.json', 'mpii_val.json'):
        (root / 'annotations' / name).write_text(json.dumps(annotations))
    savemat(root / 'annotations/mpii_gt_val.mat', {
        'headboxes_src': np.array(boxes).transpose(1, 2, 0),
        'jnt_missing': np.zeros((16, len(boxes))),
        'pos_gt_src': np.zeros((16, 2, len(boxes)))
    })
    return root
