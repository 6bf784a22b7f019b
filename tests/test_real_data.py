"""Real images of COCO and CrowdPose through the recipes' pipelines."""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.evaluator import Evaluator
from mmpose.registry import DATASETS, MODELS

from srpose_mm.check_data import check_dataset

from .conftest import CONFIGS, ROOT
from .support.mim import metric, mim

SRPOSE = CONFIGS / 'body_2d_keypoint' / 'srpose'
OVERFIT = ROOT / 'tests' / 'data' / 'overfit_coco_mini.py'
# Config, folder, annotations, detections, and numbers of evaluated instances
# and of detections, which are counted in the files.
DATA = dict(
    coco=(SRPOSE / 'coco' / 'td-srpose_res50_8xb32-210e_coco-256x192.py',
          'coco', 'test_coco.json', 'test_coco_det_AP_H_56.json', 12, 118),
    crowdpose=(
        SRPOSE / 'crowdpose' /
        'td-srpose_res50_8xb32-210e_crowdpose-256x192.py', 'crowdpose',
        'test_crowdpose.json', 'test_crowdpose_det_AP_40.json', 4, 6))


def recipe(name, shared_data):
    """Return a recipe for a few real images, and the numbers of DATA."""
    path, folder, annotations, boxes, instances, detections = DATA[name]
    root = shared_data(folder)
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    for split in ('train', 'val', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.update(data_root=str(root), ann_file=annotations,
                       data_prefix=dict(img=''))
        if split != 'train':
            dataset.bbox_file = str(root / boxes)
            cfg[f'{split}_evaluator'].ann_file = str(root / annotations)
    return cfg, instances, detections


@pytest.mark.parametrize('name', DATA)
def test_recipe_has_no_faulty_data(name, shared_data):
    """All instances are trained on, and all boxes are tested."""
    cfg, instances, detections = recipe(name, shared_data)
    train, test = check_dataset(cfg, images=True)
    assert not train.faults and not test.faults
    assert train.counts['used'] == instances
    assert test.counts['detections'] == detections
    assert len(DATASETS.build(cfg.test_dataloader.dataset)) == detections


@pytest.mark.parametrize('name', DATA)
def test_perfect_heatmaps(name, shared_data):
    """The decoded targets of real crops have the AP of the annotations."""
    cfg, instances, _ = recipe(name, shared_data)
    config = cfg.test_dataloader.dataset
    config.bbox_file = None
    encoder = dict(cfg.model.head.decoder, target='heatmaps')
    config.pipeline.insert(-1, dict(type='GenerateTarget', encoder=encoder))
    dataset = DATASETS.build(config)
    assert len(dataset) == instances
    model = MODELS.build(cfg.model).eval()
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    batch = pseudo_collate([dataset[index] for index in range(instances)])
    data = model.data_preprocessor(batch)
    assert data['inputs'].shape == (instances, 3, 256, 192)
    heatmaps = torch.stack(
        [sample.gt_fields.heatmaps for sample in data['data_samples']])
    samples = model.add_pred_to_datasample(
        model.head.decode(heatmaps), None, data['data_samples'])
    for sample in samples:
        labelled = sample.gt_instances.keypoints_visible > 0
        points = sample.gt_instances.keypoints[labelled]
        error = abs(points - sample.pred_instances.keypoints[labelled])
        # Pixels of the image per cell of the heatmap.
        cell = sample.input_scale / sample.input_size
        place = (points - sample.input_center) / cell + np.divide(
            sample.input_size, 2)
        inside = ((place > 0) & (place < sample.input_size)).all(axis=1)
        assert (error <= 0.51 * cell)[inside].all() and inside.mean() > 0.8
    evaluator.process(samples, batch)
    assert evaluator.evaluate(instances)[f'{name}/AP'] == pytest.approx(
        1, abs=0.01)


@pytest.mark.slow
def test_overfit(shared_data, tmp_path):
    """A model learns the instances of 28 real images by heart."""
    root = shared_data('coco_mini')
    output = mim('train', 'mmpose', OVERFIT, '--work-dir', 'work',
                 cwd=tmp_path, env=dict(
                     DATA_ROOT=f'{root}/', OMP_NUM_THREADS='2'))
    assert metric(output, 'coco/AP') >= 0.80


def few_images(source, target, count=8):
    """Write annotations of the first images without unlabelled instances."""
    content = json.loads(source.read_text())
    instances = {}
    for annotation in content['annotations']:
        instances.setdefault(annotation['image_id'], []).append(annotation)
    chosen = [
        image for image in content['images']
        if all(entry['num_keypoints'] >= 8 and not entry['iscrowd'] for entry
               in instances.get(image['id'], [dict(num_keypoints=0)]))
    ][:count]
    assert len(chosen) == count
    content['images'] = chosen
    content['annotations'] = [
        entry for image in chosen for entry in instances[image['id']]
    ]
    target.write_text(json.dumps(content))


@pytest.mark.slow
def test_overfit_bottom_up(shared_data, tmp_path):
    """A bottom-up model learns eight real images by heart."""
    root = shared_data('coco_mini')
    few_images(root / 'person_keypoints.json', tmp_path / 'few.json')
    output = mim(
        'train', 'mmpose', OVERFIT.with_name('overfit_ae_coco_mini.py'),
        '--work-dir', 'work', cwd=tmp_path,
        env=dict(DATA_ROOT=f'{root}/', ANN_FILE=str(tmp_path / 'few.json'),
                 OMP_NUM_THREADS='2'))
    assert metric(output, 'coco/AP') >= 0.60
