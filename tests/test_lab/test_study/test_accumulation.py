"""What MMEngine's steps learn of accumulated batches, as studies use them."""
from contextlib import nullcontext
from functools import partial

import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.optim.optimizer import amp_optimizer_wrapper
from torch import nn


def weights_after(kind, steps, batch, counts, lrs):
    """Of a regression on 24 samples, trained as MMEngine's loops do."""
    torch.manual_seed(0)
    model = nn.Linear(3, 1)
    inputs, labels = torch.randn(24, 3), torch.randn(24, 1)
    wrapper = build_optim_wrapper(model, dict(
        **kind, accumulative_counts=counts,
        optimizer=dict(type='Adam', lr=0.1),
        clip_grad=dict(max_norm=0.5)))
    wrapper.initialize_count_status(model, 0, steps)
    for step in range(steps):
        part = torch.arange(batch * step, batch * (step + 1)) % 24
        wrapper.optimizer.param_groups[0]['lr'] = lrs(step)
        with wrapper.optim_context(model):
            loss = (model(inputs[part]) - labels[part]).square().mean()
        wrapper.update_params(loss)
    return torch.cat([p.detach().flatten() for p in model.parameters()])


@pytest.fixture
def amp_on_cpu(monkeypatch):
    """MMEngine's wrapper for GPUs; its scaler of losses works elsewhere."""
    if not hasattr(torch.amp, 'GradScaler'):
        pytest.skip('torch before 2.3 scales losses on GPUs only')
    monkeypatch.setattr(amp_optimizer_wrapper, 'is_cuda_available',
                        lambda: True)
    monkeypatch.setattr(amp_optimizer_wrapper, 'GradScaler',
                        partial(torch.amp.GradScaler, 'cpu'))
    monkeypatch.setattr('mmengine.runner.amp.autocast',
                        lambda **kwargs: nullcontext())


@pytest.mark.parametrize('kind', [
    dict(type='OptimWrapper'),
    dict(type='AmpOptimWrapper', loss_scale='dynamic'),
    dict(type='AmpOptimWrapper', loss_scale=512.),
], ids=['float', 'AMP, dynamic', 'AMP, static'])
def test_accumulated_batches_teach_what_a_large_one_does(kind, amp_on_cpu):
    large = weights_after(kind, 6, 8, 1, lambda step: 0.1 / (1 + step))
    small = weights_after(kind, 24, 2, 4, lambda step: 0.1 / (1 + step // 4))
    torch.testing.assert_close(small, large)
    other = weights_after(kind, 24, 2, 1, lambda step: 0.1 / (1 + step // 4))
    assert (other - large).abs().max() > 0.01
