"""What people get wrong: one clear error that names the culprit."""
import shutil

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmpose.registry import DATASETS, MODELS

from .conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))
VAL = 'annotations/person_keypoints_val2017.json'
BOXES = 'person_detection_results/COCO_val2017_detections_AP_H_56_person.json'


@pytest.fixture
def cfg(toy_coco, tmp_path):
    """The demo's config on a copy of small data, one epoch."""
    root = tmp_path / 'data'
    shutil.copytree(toy_coco, root)
    cfg = Config.fromfile(DEMO)
    cfg.work_dir = str(tmp_path / 'work')
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        loader.batch_size = 2
        loader.dataset.data_root = str(root)
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.bbox_file = str(root / BOXES)
    for evaluator in (cfg.val_evaluator, cfg.test_evaluator):
        evaluator.ann_file = str(root / VAL)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.interval = -1
    return cfg


def test_typo_in_a_class_name(cfg):
    cfg.model.head.type = 'SRPoseHaed'
    with pytest.raises(KeyError, match='SRPoseHaed is not in the'):
        MODELS.build(cfg.model)


def test_typo_in_an_argument(cfg):
    cfg.model.head.upscale_factor = (8, 4, 2, 4)
    with pytest.raises(TypeError, match="unexpected keyword .*upscale_factor'"
                       ) as error:
        MODELS.build(cfg.model)
    assert 'SRPoseHead' in str(error.value)


def test_typo_in_a_value(cfg):
    cfg.model.head.decoder.refine = 'shfit'
    with pytest.raises(ValueError, match="refine .*got 'shfit'"):
        MODELS.build(cfg.model)


def test_wrong_channels(cfg):
    cfg.model.neck.in_channels = (512, 256, 128, 64)
    model = MODELS.build(cfg.model)
    with pytest.raises(ValueError, match='SRPoseNeck: expected 4 .*512, 256, '
                       '128, 64.* got 4 with .*256, 128, 64, 32'):
        model(torch.zeros(1, 3, 128, 96), None)


def test_missing_annotations(cfg):
    cfg.train_dataloader.dataset.ann_file = 'annotations/missing.json'
    with pytest.raises(AssertionError, match='missing.json'):
        DATASETS.build(cfg.train_dataloader.dataset)


def test_missing_detections(cfg):
    cfg.test_dataloader.dataset.bbox_file = 'missing_boxes.json'
    with pytest.raises(AssertionError, match='missing_boxes.json'):
        DATASETS.build(cfg.test_dataloader.dataset)


@pytest.mark.parametrize('content', [b'', b'not an image'],
                         ids=['empty', 'text'])
def test_image_that_cannot_be_read(cfg, content):
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    path = dataset.get_data_info(0)['img_path']
    with open(path, 'wb') as stream:
        stream.write(content)
    with pytest.raises(Exception, match=path):
        dataset[0]


def test_image_that_is_missing_stops_training(cfg, tmp_path):
    images = sorted((tmp_path / 'data' / 'train2017').iterdir())
    for image in images:
        image.unlink()
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    with pytest.raises(FileNotFoundError, match='train2017'):
        runner.train()


def test_map_of_another_size_than_the_targets(cfg):
    small = dict(
        type='SRHeatmap',
        input_size=(96, 128),
        heatmap_size=(48, 64),
        sigma=3)
    cfg.train_dataloader.dataset.pipeline[-2].encoder = small
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    runner = Runner.from_cfg(cfg)
    message = ("SRPoseHead: expected the head's decoder to be the codec of the "
               r'pipeline.* got heatmap_size=\(96, 128\) instead of \(48, 64\), '
               r'sigma=8.0 instead of 3.0; write decoder=dict\(_delete_=True')
    with pytest.raises(ValueError, match=message):
        runner.train()
