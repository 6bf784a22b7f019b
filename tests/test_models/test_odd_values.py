"""Every head on features and data that no network or user should give."""
import pytest
import torch
from mmengine.optim import AmpOptimWrapper, OptimWrapper
from torch import nn

from .test_autocast_and_compile import build

NAMES = ['srpose', 'sr_head', 'bottom_up']


def parts(losses):
    return {key: value for key, value in losses.items() if 'loss' in key}


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('value', [0., 1., -1., torch.nan, torch.inf])
def test_losses_and_people_of_any_features(name, value):
    """Losses are as finite as the features; what is decoded always is."""
    model, feats, samples = build(name)
    feats = tuple(torch.full_like(feat, value) for feat in feats)
    losses = parts(model.head.loss(model.neck(feats), samples))
    finite = all(loss.isfinite().all() for loss in losses.values())
    assert finite == (abs(value) <= 1)

    model.eval()
    for sample in samples:
        sample.set_metainfo(
            dict(img_shape=(128, 96), flip_indices=list(range(17))))
    with torch.no_grad():
        maps = model.neck(feats)
        for test_cfg, inputs in ((dict(), maps),
                                 (dict(flip_test=True, flip_mode='heatmap',
                                       shift_heatmap=True), [maps, maps])):
            people = model.head.predict(inputs, samples, test_cfg)
            for person in people:
                assert torch.as_tensor(person.keypoints).isfinite().all()
                scores = torch.as_tensor(person.keypoint_scores)
                assert not scores.isnan().any()
                if value != value:
                    assert (scores <= 0).all()


@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_a_batch_without_a_keypoint_trains(name, dtype):
    """Nobody is labelled: loss 0, and a gradient of 0 everywhere."""
    model, feats, samples = build(name)
    for sample in samples:
        labels = sample.gt_instance_labels
        labels.keypoint_weights.zero_()
        if name == 'bottom_up':
            # The mask of crowds and of people without keypoints.
            sample.gt_fields.heatmap_mask = torch.zeros(1, 128, 96)
            labels.keypoint_indices = torch.zeros(2, 17, 2, dtype=torch.long)
    with torch.autocast('cpu', dtype, enabled=dtype != torch.float32):
        losses = parts(model.head.loss(model.neck(feats), samples))
    for key, loss in losses.items():
        assert loss == 0, key
    sum(losses.values()).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert not parameter.grad.any(), key


class Training(nn.Module):
    """A batch for MMEngine's optimiser wrappers."""

    def __init__(self, name):
        super().__init__()
        self.model, self.feats, self.samples = build(name)
        # Not the weights of the tests of numbers, but those to start from.
        for module in (self.model.neck, self.model.head):
            if hasattr(module, 'init_weights'):
                module.init_weights()

    def step(self, wrapper):
        with wrapper.optim_context(self):
            loss = self.model.loss(self.feats, self.samples)
        wrapper.update_params(loss)
        return loss.item()


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('dtype', ['float32', 'bfloat16', 'float16'])
def test_five_hundred_steps_stay_finite(name, dtype):
    """With the learning rate of the recipes, from the initial weights."""
    if dtype == 'float16' and not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('torch before 2.3 scales losses on GPUs only')
    training = Training(name)
    optimizer = torch.optim.Adam(training.parameters(), lr=5e-4)
    if dtype == 'float32':
        wrapper = OptimWrapper(optimizer)
    else:
        wrapper = AmpOptimWrapper(optimizer=optimizer, dtype=dtype)
        if dtype == 'float16':
            # MMEngine's scaler is for GPUs.
            wrapper.loss_scaler = torch.amp.GradScaler('cpu')
    losses = [training.step(wrapper) for _ in range(500)]
    assert torch.tensor(losses).isfinite().all()
    for key, value in training.state_dict().items():
        assert value.isfinite().all(), key
    assert losses[-1] < 0.5 * losses[0]
