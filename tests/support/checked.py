"""Configs of data sets to check."""
from mmengine.config import Config

from srpose_mm.check_data import EFFECTS
from srpose_mm.check_data.check_dataset import check_dataset

from .bad_data import FILE

COCO = dict(type='CocoDataset', ann_file=FILE, data_prefix=dict(img=''))


def config(folder, split='train', evaluator=None, **dataset):
    dataset = {**COCO, 'data_root': str(folder), **dataset}
    cfg = {f'{split}_dataloader': dict(dataset=dataset)}
    if evaluator is not None:
        cfg[f'{split}_evaluator'] = evaluator
    return Config(dict(cfg, model=dict(type='Any')))


def faults(*args, images=False, **kwargs):
    checked, = check_dataset(config(*args, **kwargs), images=images)
    assert {fault.effect for fault in checked.faults} <= set(EFFECTS)
    return checked.faults
