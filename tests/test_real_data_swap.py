"""Swapped stock configs learn from real images and are tested on them."""
import json

import pytest

from srpose_mm.apis import swap_files

from .support.mim import metric, mim
from .test_real_data import options

# A few samples, and a test that is the only one.
ONE_EPOCH = {
    'model.backbone.init_cfg': 'None',
    'train_cfg.max_epochs': 1,
    'train_dataloader.dataset.indices': 4,
    'test_dataloader.dataset.indices': 8,
    'val_cfg': 'None',
    'val_dataloader': 'None',
    'val_evaluator': 'None',
}


def train_and_test(name, scheme, arguments, folder, metrics):
    """Swap a stock config's head, train an epoch and test, both by mim."""
    config = swap_files(name, folder / 'swapped.py', scheme).out
    arguments = [
        *(a for a in arguments if not str(a).startswith('val_')),
        *(f'{k}={v}' for k, v in ONE_EPOCH.items())
    ]
    output = mim('train', 'mmpose', config, '--work-dir', 'work', *arguments,
                 cwd=folder)
    assert metric(output, 'loss') > 0
    output = mim('test', 'mmpose', config, '--checkpoint', 'work/epoch_1.pth',
                 '--work-dir', 'test', *arguments, cwd=folder)
    for name, largest in metrics.items():
        assert -1 <= metric(output, name) <= largest


def test_coco(shared_data, tmp_path):
    arguments = options(
        shared_data('coco'), 'test_coco.json', 'test_coco_det_AP_H_56.json')
    train_and_test('td-hm_mobilenetv2_8xb64-210e_coco-256x192', 'srpose',
                   arguments, tmp_path, {'coco/AP': 1, 'coco/AR': 1})


@pytest.mark.slow
def test_crowdpose(shared_data, tmp_path):
    arguments = options(
        shared_data('crowdpose'), 'test_crowdpose.json',
        'test_crowdpose_det_AP_40.json')
    train_and_test(
        'td-hm_res50_8xb64-210e_crowdpose-256x192', 'sr', arguments, tmp_path,
        {'crowdpose/AP': 1, 'crowdpose/AP(E)': 1, 'crowdpose/AP(H)': 1})


def test_face(shared_data, tmp_path):
    """Photographs with the 68 points of 300W, in that data set's format."""
    root = shared_data('face68')
    content = json.loads((root / 'val.json').read_text())
    content['annotations'] = content['annotations'][:4]
    for face in content['annotations']:
        x, y, w, h = face['bbox']
        face.update(center=[x + w / 2, y + h / 2], scale=max(w, h) / 200)
    (tmp_path / 'faces.json').write_text(json.dumps(content))
    values = {}
    for loader in ('train_dataloader', 'test_dataloader'):
        values[f'{loader}.num_workers'] = 0
        values[f'{loader}.persistent_workers'] = False
        values[f'{loader}.batch_size'] = 2
        values[f'{loader}.dataset.data_root'] = root
        values[f'{loader}.dataset.ann_file'] = tmp_path / 'faces.json'
        values[f'{loader}.dataset.data_prefix.img'] = 'images/'
    arguments = ['--cfg-options', *(f'{k}={v}' for k, v in values.items())]
    train_and_test('td-hm_hrnetv2-w18_8xb64-60e_300w-256x256', 'srpose',
                   arguments, tmp_path, {'NME': 10})


@pytest.mark.slow
def test_associative_embedding(shared_data, tmp_path):
    arguments = [
        argument for argument in options(
            shared_data('coco'), 'test_coco.json', 'none')
        if 'bbox_file' not in argument and 'batch_size' not in argument
    ] + ['train_dataloader.batch_size=1']
    train_and_test('ae_hrnet-w32_8xb24-300e_coco-512x512', 'sr', arguments,
                   tmp_path, {'coco/AP': 1})
