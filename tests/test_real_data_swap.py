"""Swapped stock configs on real images."""
import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import Compose, pseudo_collate
from mmengine.evaluator import Evaluator
from mmpose.registry import DATASETS, MODELS
from pycocotools import mask as coco_mask

from srpose_mm.apis import swap_head

from .support.stock_models import AE, FACE

MOBILENET = 'td-hm_mobilenetv2_8xb64-210e_coco-256x192'
CROWDPOSE = 'td-hm_res50_8xb64-210e_crowdpose-256x192'
# Stock config, scheme, folder and file of annotations, and the score of
# perfect heatmaps.
SWAPPED = [
    (MOBILENET, 'srpose', 'coco', 'test_coco.json', {'coco/AP': 1}),
    (CROWDPOSE, 'sr', 'crowdpose', 'test_crowdpose.json',
     {'crowdpose/AP': 1}),
    (FACE, 'srpose', 'face68', 'val.json', {'NME': 0}),
]


def swapped(name, scheme, root, annotations):
    """Return a swapped config for the real images of a folder."""
    cfg = swap_head(name, scheme)
    cfg.model.backbone.init_cfg = None
    images = 'images/' if (root / 'images').is_dir() else ''
    for split in ('train', 'test'):
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.update(data_root=str(root), ann_file=annotations,
                       data_prefix=dict(img=images), indices=12)
        dataset.pop('bbox_file', None)
    # The metric takes the annotations from the samples.
    cfg.test_evaluator.pop('ann_file', None)
    return cfg


@pytest.mark.parametrize('name, scheme, folder, annotations, scores', SWAPPED)
def test_perfect_heatmaps(name, scheme, folder, annotations, scores,
                          shared_data):
    """The new targets, decoded behind the stock crops, are the annotations."""
    cfg = swapped(name, scheme, shared_data(folder), annotations)
    config = cfg.test_dataloader.dataset
    encoder = dict(cfg.codec, target='heatmaps')
    config.pipeline.insert(-1, dict(type='GenerateTarget', encoder=encoder))
    if name == FACE:
        # The stock dataset reads boxes from entries of its own format.
        config.type = 'CocoDataset'
        config.metainfo = dict(from_file='configs/_base_/datasets/300w.py')
    dataset = DATASETS.build(config)
    batch = pseudo_collate([dataset[i] for i in range(len(dataset))])
    model = MODELS.build(cfg.model).eval()
    data = model.data_preprocessor(batch)
    heatmaps = torch.stack(
        [sample.gt_fields.heatmaps for sample in data['data_samples']])
    assert heatmaps.shape[2:] == cfg.codec.heatmap_size[::-1]
    samples = model.add_pred_to_datasample(
        model.head.decode(heatmaps), None, data['data_samples'])
    evaluator = Evaluator(cfg.test_evaluator)
    evaluator.dataset_meta = dataset.metainfo
    evaluator.process(samples, batch)
    metrics = evaluator.evaluate(len(dataset))
    for metric, expected in scores.items():
        assert metrics[metric] == pytest.approx(expected, abs=0.01)


def test_a_swapped_model_learns(shared_data):
    cfg = swapped(MOBILENET, 'srpose', shared_data('coco'), 'test_coco.json')
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    model = MODELS.build(cfg.model)
    batch = model.data_preprocessor(
        pseudo_collate([dataset[i] for i in range(4)]), True)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    losses = []
    for _ in range(6):
        loss, _ = model.parse_losses(model.loss(**batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]


def test_crowds_are_not_trained(shared_data):
    """The added bottom-up pipeline masks every pixel of COCO's crowds."""
    cfg = swapped(AE, 'sr', shared_data('coco_mini'), 'person_keypoints.json')
    config = cfg.train_dataloader.dataset
    config.update(indices=None)
    steps = config.pipeline[:-1]  # all but PackPoseInputs
    config.pipeline = []
    dataset, pipeline = DATASETS.build(config), Compose(steps)
    crowds = 0
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        rles = [seg for seg in sample['invalid_segs'] if isinstance(seg, dict)]
        if not rles:
            continue
        crowds += 1
        results = pipeline(sample)
        height, width = results['ori_shape']
        crowd = coco_mask.decode(coco_mask.merge([
            coco_mask.frPyObjects(rle, height, width) for rle in rles]))
        crowd = cv2.warpAffine(crowd, results['warp_mat'], (512, 512),
                               flags=cv2.INTER_NEAREST)
        if results['flip']:
            crowd = crowd[:, ::-1]
        assert crowd.sum() > 0
        # One pixel of the outline can round to the other side.
        inside = cv2.erode(np.ascontiguousarray(crowd), np.ones((3, 3)))
        assert not results['heatmap_mask'][inside > 0].any()
        assert results['heatmap_mask'].any()
    assert crowds == 5
