"""Real images: COCO, CrowdPose and the people of 28 COCO images."""
import json
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from .conftest import CONFIGS, ROOT
from .support.mim import metric, mim

SRPOSE = CONFIGS / 'body_2d_keypoint' / 'srpose'
COCO = SRPOSE / 'coco' / 'td-srpose_res50_8xb32-210e_coco-256x192.py'
CROWDPOSE = (
    SRPOSE / 'crowdpose' / 'td-srpose_res50_8xb32-210e_crowdpose-256x192.py')
OVERFIT = ROOT / 'tests' / 'data' / 'overfit_coco_mini.py'


def options(root, annotations, boxes):
    """Point a COCO-style config at a few images, for one epoch."""
    values = {'model.backbone.init_cfg': 'None', 'train_cfg.max_epochs': 1,
              'train_cfg.val_interval': 1, 'train_dataloader.batch_size': 4}
    for loader in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        values[f'{loader}.num_workers'] = 0
        values[f'{loader}.persistent_workers'] = False
        values[f'{loader}.dataset.data_root'] = root
        values[f'{loader}.dataset.ann_file'] = annotations
        values[f'{loader}.dataset.data_prefix.img'] = ''
    for split in ('val', 'test'):
        values[f'{split}_dataloader.dataset.bbox_file'] = root / boxes
        values[f'{split}_evaluator.ann_file'] = root / annotations
    return ['--cfg-options', *(f'{k}={v}' for k, v in values.items())]


def save_initial_weights(config, path):
    cfg = Config.fromfile(config)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    torch.save(dict(state_dict=model.state_dict()), path)


def train_and_test(config, arguments, prefix, folder):
    """One epoch and a test of its checkpoint, both by mim."""
    output = mim('train', 'mmpose', config, '--work-dir', 'work', *arguments,
                 cwd=folder,                 env=dict(OMP_NUM_THREADS='2'))
    assert metric(output, 'loss') > 0
    checkpoint = next(Path(folder, 'work').glob('epoch_1.pth'))
    output = mim('test', 'mmpose', config, '--checkpoint', checkpoint,
                 '--work-dir', 'test', *arguments, cwd=folder,
                 env=dict(OMP_NUM_THREADS='2'))
    assert 0 <= metric(output, f'{prefix}/AP') <= 1
    return output


def test_coco(shared_data, tmp_path):
    arguments = options(
        shared_data('coco'), 'test_coco.json', 'test_coco_det_AP_H_56.json')
    train_and_test(COCO, arguments, 'coco', tmp_path)


def test_crowdpose(shared_data, tmp_path):
    arguments = options(
        shared_data('crowdpose'), 'test_crowdpose.json',
        'test_crowdpose_det_AP_40.json')
    output = train_and_test(CROWDPOSE, arguments, 'crowdpose', tmp_path)
    for level in 'EMH':
        assert metric(output, f'crowdpose/AP({level})') <= 1


@pytest.mark.slow
def test_overfit(shared_data, tmp_path):
    """The people of 28 real images, learned by heart, argmax only."""
    root = shared_data('coco_mini')
    output = mim('train', 'mmpose', OVERFIT, '--work-dir', 'work',
                 cwd=tmp_path, env=dict(
                     DATA_ROOT=f'{root}/', OMP_NUM_THREADS='2'))
    assert metric(output, 'coco/AP') >= 0.80


def few_images(source, target, count=8):
    """Annotations of the first images whose people are all labelled."""
    content = json.loads(source.read_text())
    people = {}
    for annotation in content['annotations']:
        people.setdefault(annotation['image_id'], []).append(annotation)
    chosen = [
        image for image in content['images']
        if all(p['num_keypoints'] >= 8 and not p['iscrowd']
               for p in people.get(image['id'], [dict(num_keypoints=0)]))
    ][:count]
    assert len(chosen) == count
    content['images'] = chosen
    content['annotations'] = [
        annotation for image in chosen for annotation in people[image['id']]
    ]
    target.write_text(json.dumps(content))


@pytest.mark.slow
def test_overfit_bottom_up(shared_data, tmp_path):
    """The people of eight real images, found and grouped."""
    root = shared_data('coco_mini')
    few_images(root / 'person_keypoints.json', tmp_path / 'few.json')
    output = mim(
        'train', 'mmpose', OVERFIT.with_name('overfit_ae_coco_mini.py'),
        '--work-dir', 'work', cwd=tmp_path,
        env=dict(DATA_ROOT=f'{root}/', ANN_FILE=str(tmp_path / 'few.json'),
                 OMP_NUM_THREADS='2'))
    assert metric(output, 'coco/AP') >= 0.60
