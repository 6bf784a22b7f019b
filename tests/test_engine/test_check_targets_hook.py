"""Dataset, encoder and head that do not fit are named before training."""
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmpose.registry import DATASETS, HOOKS, MODELS
from torch import nn

from ..conftest import CONFIGS

CODEC = dict(type='SRHeatmap', input_size=(24, 32), sigma=2)
CROWDPOSE = dict(from_file='configs/_base_/datasets/crowdpose.py')


def coco(root, metainfo=None, target='keypoints', **kwargs):
    return dict(
        type='CocoDataset',
        ann_file=str(root / 'annotations/person_keypoints_train2017.json'),
        metainfo=metainfo,
        pipeline=[
            dict(type='LoadImage'),
            dict(
                type='GenerateTarget', encoder=dict(CODEC, target=target)),
        ],
        **kwargs)


def check(dataset, head='SRHead', wrapped=False):
    model = nn.Module()
    model.head = MODELS.build(
        dict(
            type=head,
            in_channels=8,
            out_channels=17,
            deconv_out_channels=None,
            decoder=CODEC))
    if wrapped:
        model = SimpleNamespace(module=model)
    runner = SimpleNamespace(
        model=model,
        train_dataloader=SimpleNamespace(dataset=DATASETS.build(dataset)))
    HOOKS.build(dict(type='CheckTargetsHook')).before_train(runner)


def combined(*datasets, **kwargs):
    return dict(
        type='CombinedDataset',
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        datasets=list(datasets),
        **kwargs)


@pytest.mark.parametrize('mode', ['topdown', 'bottomup'])
def test_what_fits(toy_coco, mode):
    check(coco(toy_coco, data_mode=mode))
    check(coco(toy_coco, target='heatmaps'), 'HeatmapHead')
    check(combined(coco(toy_coco)))


@pytest.mark.parametrize('wrap', [
    dict, combined,
    lambda part: dict(type='RepeatDataset', dataset=part, times=2)
], ids=['plain', 'combined', 'repeated'])
def test_metainfo_of_another_number_of_keypoints(toy_coco, wrap):
    dataset = wrap(coco(toy_coco, metainfo=CROWDPOSE))
    with pytest.raises(ValueError, match='expected metainfo of 17 keypoints, '
                       'as many as .*person_keypoints_train2017.json holds, '
                       'got 14 from CocoDataset; set metainfo'):
        check(dataset)


def test_keypoints_for_a_stock_head(toy_coco):
    message = "such as SRHead, got HeatmapHead; write target='heatmaps'"
    with pytest.raises(ValueError, match=message):
        check(coco(toy_coco), 'HeatmapHead')


def test_several_encoders(toy_coco):
    dataset = coco(toy_coco)
    dataset['pipeline'][1].update(encoder=[CODEC, CODEC], multilevel=True)
    check(dataset, 'HeatmapHead')
    with pytest.raises(ValueError, match='expected one encoder in GenerateTar'
                       'get for SRHead, got 2; write encoder=codec'):
        check(dataset)
    dataset['pipeline'][1]['encoder'][1] = dict(CODEC, target='keypoints')
    with pytest.raises(ValueError, match='such as SRHead, got HeatmapHead'):
        check(dataset, 'HeatmapHead')


def test_wrapped_models(toy_coco, monkeypatch):
    monkeypatch.setattr(
        'srpose_mm.engine.hooks.check_targets_hook.is_model_wrapper',
        lambda model: isinstance(model, SimpleNamespace))
    with pytest.raises(ValueError, match='got HeatmapHead'):
        check(coco(toy_coco), 'HeatmapHead', wrapped=True)


def test_recipes_have_the_hook():
    for path in (CONFIGS / 'body_2d_keypoint').rglob('*.py'):
        hooks = Config.fromfile(path).default_hooks
        assert hooks.targets.type == 'CheckTargetsHook', path.name
