"""Every head on features and data that no network or user should give."""
from contextlib import nullcontext

import pytest
import torch
from mmengine.model import BaseModule

from ..support.heads import NAMES, build


def autocast(dtype):
    # torch 2.1 refuses float32 even where it is disabled.
    return nullcontext() if dtype == torch.float32 else torch.autocast(
        'cpu', dtype)


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
    with autocast(dtype):
        losses = parts(model.head.loss(model.neck(feats), samples))
    for key, loss in losses.items():
        assert loss == 0, key
    sum(losses.values()).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None, key
        assert not parameter.grad.any(), key


@pytest.mark.slow
@pytest.mark.parametrize('name', NAMES)
@pytest.mark.parametrize('dtype',
                         [torch.float32, torch.bfloat16, torch.float16])
def test_five_hundred_steps_stay_finite(name, dtype):
    """With the learning rate of the recipes, from the initial weights.

    MMEngine's AmpOptimWrapper wants a GPU; these are its steps.
    """
    if dtype == torch.float16 and not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('torch before 2.3 scales losses on GPUs only')
    model, feats, samples = build(name)
    for module in (model.neck, model.head):
        if isinstance(module, BaseModule):
            module.init_weights()
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-4)
    scaler = None
    if dtype == torch.float16:
        scaler = torch.amp.GradScaler('cpu')
    losses = []
    for _ in range(500):
        with autocast(dtype):
            loss = model.loss(feats, samples)
        optimizer.zero_grad()
        if scaler is None:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        losses.append(loss.item())
    assert torch.tensor(losses).isfinite().all()
    for key, value in model.state_dict().items():
        assert value.isfinite().all(), key
    assert losses[-1] < 0.5 * losses[0]
