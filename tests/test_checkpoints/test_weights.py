"""One answer to each question about weights and a model."""
from collections import OrderedDict

import pytest
import torch
from mmengine.model import BaseTTAModel, MMDistributedDataParallel
from mmpose.registry import MODELS
from torch import nn

from srpose_mm.checkpoints import get_state_dict, load_weights, save_checkpoint
from srpose_mm.checkpoints.weights import load_matching_weights


class Model(nn.Module):
    """Two parts, as a pose estimator has."""

    def __init__(self, width=3):
        super().__init__()
        self.backbone = nn.Sequential(nn.Conv2d(3, width, 1),
                                      nn.BatchNorm2d(width))
        self.head = nn.Linear(width, 2)


@pytest.fixture
def trained():
    """State dict of a trained model, with distinct values."""
    return OrderedDict(
        (key, torch.rand_like(value) if value.is_floating_point() else value)
        for key, value in Model().state_dict().items())


@pytest.fixture
def save(tmp_path):

    def save(state_dict, **contents):
        path = tmp_path / 'a.pth'
        save_checkpoint(dict(state_dict=state_dict, **contents), path)
        return path

    return save


def assert_loaded(model, state_dict):
    for key, value in model.state_dict().items():
        assert torch.equal(value, state_dict[key]), key


def test_all_weights(trained, save):
    model = Model()
    contents = load_weights(model, save(trained, meta=dict(epoch=3)))
    assert contents['meta'] == dict(epoch=3)
    assert_loaded(model, trained)


@pytest.mark.parametrize('change', [
    lambda weights: {f'module.{k}': v for k, v in weights.items()},
    lambda weights: {k: v for k, v in weights.items() if 'num_batc' not in k},
    lambda weights: {**weights, 'ema_head_weight': torch.zeros(1)},
    lambda weights: {**weights, 'teacher.head.weight': torch.zeros(1)},
    lambda weights: {k: v.double() for k, v in weights.items()},
], ids=['data parallel', 'no counter', 'buffers of an average',
        'another model beside it', 'other precision'])
def test_harmless_differences(change, trained, save):
    model = Model()
    load_weights(model, save(change(trained)))
    assert_loaded(model, {k: v.to(model.state_dict()[k].dtype)
                          for k, v in trained.items()})


def test_averaged_weights_count(trained, save):
    """MMEngine's EMAHook saves them as the state dict."""
    current = {f'module.{k}': torch.zeros_like(v) for k, v in trained.items()}
    model = Model()
    load_weights(model, save(trained, ema_state_dict=current))
    assert_loaded(model, trained)


def test_wrapped_models(trained, save):

    class TTA(BaseTTAModel):
        merge_preds = None

    TTA.__abstractmethods__ = frozenset()
    model = Model()
    wrapped = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    nn.Module.__init__(wrapped)
    wrapped.module = model
    tta = TTA.__new__(TTA)
    nn.Module.__init__(tta)
    tta.module = wrapped
    contents = dict(state_dict=trained)
    assert load_matching_weights(tta, 'a.pth', contents) == ''
    assert_loaded(model, trained)


@pytest.mark.parametrize('change, reason', [
    (lambda w: w.pop('head.weight'),
     r"lacks 1 of the model's 8 tensors \(such as head.weight\)"),
    (lambda w: w.pop('backbone.1.running_mean'), 'lacks 1 .*running_mean'),
    (lambda w: w.update({'head.weight': torch.zeros(5, 3)}),
     r'has 1 of another shape \(such as head.weight, \[5, 3\] instead of '
     r'\[2, 3\]\)'),
    (lambda w: w.update({'backbone.2.weight': torch.zeros(1)}),
     r'has 1 unknown to the model \(such as backbone.2.weight\)'),
    (lambda w: (w.pop('head.weight'), w.pop('head.bias'),
                w.update({'head.a': torch.zeros(1)})),
     r'lacks 2 .* \(such as head.weight\) and has 1 unknown to .*head.a'),
])
def test_weights_of_another_model(change, reason, trained, save):
    change(trained)
    path = save(trained)
    with pytest.raises(ValueError, match=f'{path}: expected the weights of '
                       f"the config's model, got a checkpoint that {reason}.*"
                       '; give the checkpoint of this config') as caught:
        load_weights(Model(), path)
    assert '\n' not in str(caught.value)


def test_a_deeper_network_of_the_same_kind():
    """Each tensor of ResNet-18 has its like in ResNet-34."""
    build = dict(type='ResNet', base_channels=8, stem_channels=8)
    deep = nn.ModuleDict(dict(backbone=MODELS.build(dict(build, depth=34))))
    flat = nn.ModuleDict(dict(backbone=MODELS.build(dict(build, depth=18))))
    problems = load_matching_weights(flat, 'a.pth', deep.state_dict())
    assert problems.startswith('has 96 unknown to the model')


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_weights_that_are_not_finite(value, trained, save):
    trained['head.bias'][1] = value
    with pytest.raises(ValueError, match='expected finite weights, got NaN or '
                       'infinity in head.bias; the training diverged'):
        load_weights(Model(), save(trained))


def test_old_keys_are_renamed_by_version(save):
    """MMPose decides by what PyTorch keeps beside a state dict."""
    cfg = dict(type='HeatmapHead', in_channels=2, out_channels=3,
               deconv_out_channels=None)
    estimator = dict(
        type='TopdownPoseEstimator', head=cfg,
        backbone=dict(type='ResNet', depth=18, base_channels=8,
                      stem_channels=8))
    estimator['head']['in_channels'] = 64
    model = MODELS.build(estimator)
    new = model.state_dict()
    assert load_matching_weights(model, 'a.pth', new) == ''
    wrapped = OrderedDict((f'module.{k}', v) for k, v in new.items())
    wrapped._metadata = OrderedDict(
        (f'module.{k}' if k else 'module', v)
        for k, v in new._metadata.items())
    assert load_matching_weights(model, 'a.pth', wrapped) == ''
    old = {k.replace('head.', 'keypoint_head.'): v for k, v in new.items()}
    assert load_matching_weights(model, 'a.pth', old) == ''


@pytest.mark.parametrize('contents, reason', [
    ([1], 'expected a dict with a state_dict, got list'),
    (dict(state_dict=[1]), 'expected a dict with a state_dict, got list'),
    (dict(weights=1), "dense tensors, got int for 'weights'"),
    (dict(state_dict={3: torch.zeros(1)}), 'dense tensors, got Tensor for 3'),
    (dict(state_dict=dict(a=torch.zeros(1).to_sparse())), "Tensor for 'a'"),
])
def test_what_is_no_state_dict(contents, reason):
    for function in (lambda: get_state_dict(contents, 'a.pth'),
                     lambda: load_weights(Model(), 'a.pth', contents)):
        with pytest.raises(ValueError, match=f'a.pth: .*{reason}'):
            function()
