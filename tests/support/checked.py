"""Configs of datasets to check."""
from mmengine.config import Config

from srpose_mm.check_data import EFFECTS, FAULT_KINDS, check_dataset

from .bad_data import COCO_INFO, FILE, pipeline

# Reading the metainfo from its file would take most of the time of a test.
COCO = dict(type='CocoDataset', metainfo=COCO_INFO)


def config(folder, split='train', evaluator=None, **dataset):
    if 'type' not in dataset:
        dataset = {**COCO, **dataset}
    dataset = dict(
        dict(data_root=str(folder), ann_file=FILE, data_prefix=dict(img='')),
        **dataset)
    if dataset.get('data_mode') == 'bottomup':
        dataset.setdefault('pipeline', pipeline('bottomup', 'keypoints'))
    cfg = {f'{split}_dataloader': dict(dataset=dataset)}
    if evaluator is not None:
        cfg[f'{split}_evaluator'] = evaluator
    return Config(dict(cfg, model=dict(type='Any')))


def faults(*args, images=False, **kwargs):
    report, = check_dataset(config(*args, **kwargs), images=images)
    for fault in report.faults:
        assert fault.kind in FAULT_KINDS and fault.effect in EFFECTS
    return report.faults
