from itertools import accumulate

import pytest
import torch
import torch.nn.functional as F
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS
from torch.profiler import ProfilerActivity, profile

from srpose_mm.codecs.utils.gaussians import SeparableHeatmaps
from srpose_mm.models.losses import separable_mse_loss


def build(**kwargs):
    return MODELS.build(dict(type='SeparableMSELoss', **kwargs))


def problem(batch=3, keypoints=4, height=16, width=12, dtype=torch.float32):
    """A prediction, a target near it with an empty map, and weights."""
    target = SeparableHeatmaps(
        torch.rand(batch, keypoints, width),
        torch.rand(batch, keypoints, height))
    target.rows[0, 1] = 0
    output = target.dense() + 0.1 * torch.randn(target.shape)
    weights = torch.rand(batch, keypoints)
    weights[1, 0] = 0
    return output.to(dtype).requires_grad_(), target, weights


def loss_and_gradient(loss, output, *args, **kwargs):
    value = loss(output, *args, **kwargs)
    gradient, = torch.autograd.grad(value, output)
    return value.detach(), gradient


def peak_bytes(function):
    """Most bytes that ``function`` had allocated at a time."""
    with profile(
            activities=[ProfilerActivity.CPU], profile_memory=True) as report:
        function()
    events = [event for event in report.profiler.kineto_results.events()
              if event.name() == '[memory]']
    # torch before 2.4 counts microseconds.
    start = 'start_ns' if hasattr(events[0], 'start_ns') else 'start_us'
    events.sort(key=lambda event: getattr(event, start)())
    return max(accumulate(event.nbytes() for event in events))


@pytest.mark.parametrize('options', [
    dict(),
    dict(use_target_weight=True),
    dict(skip_empty_channel=True),
    dict(use_target_weight=True, skip_empty_channel=True, loss_weight=2.5),
], ids=str)
@pytest.mark.parametrize('weighted', [False, True])
@pytest.mark.parametrize('chunk', [1, 2 * 4 * 16 * 12, 2**22])
def test_same_as_keypoint_mse_loss(options, weighted, chunk, monkeypatch):
    monkeypatch.setattr(separable_mse_loss, 'CHUNK', chunk)
    output, target, weights = problem()
    weights = weights if weighted else None
    stock = KeypointMSELoss(**options)
    expected = loss_and_gradient(stock, output, target.dense(), weights)
    got = loss_and_gradient(build(**options), output, target, weights)
    assert expected[0] > 0 and got[0].dtype == torch.float32
    torch.testing.assert_close(got[0], expected[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(got[1], expected[1], rtol=1e-6, atol=1e-9)


def test_dense_targets_as_keypoint_mse_loss():
    output, target, weights = problem()
    mask = torch.rand(3, 1, 16, 12) > 0.5
    for args in ((weights, ), (None, mask), (weights, mask), ()):
        expected = loss_and_gradient(KeypointMSELoss(), output, target.dense(),
                                     *args)
        got = loss_and_gradient(build(), output, target.dense(), *args)
        assert got[0] == expected[0]
        assert torch.equal(got[1], expected[1])


def test_gradcheck():
    output, target, weights = problem(2, 2, 5, 4, torch.float64)
    target = SeparableHeatmaps(*(profile.double() for profile in target))
    assert torch.autograd.gradcheck(
        lambda x: build()(x, target, weights.double()), output)


def test_layout_of_the_gradient():
    """PixelShuffle of channels-last features gives channels-last maps."""
    output, target, weights = problem()
    strided = output.detach().to(memory_format=torch.channels_last)
    expected = loss_and_gradient(build(), output, target, weights)[1]
    gradient = loss_and_gradient(build(), strided.requires_grad_(), target,
                                 weights)[1]
    torch.testing.assert_close(gradient, expected)
    assert gradient.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('autocast', [False, True])
def test_half_precision(dtype, autocast):
    """Sums in float32, gradients rounded once or twice."""
    output, target, weights = problem(4, 17, 64, 48, dtype)
    expected = loss_and_gradient(KeypointMSELoss(),
                                 output.detach().float().requires_grad_(),
                                 target.dense(), weights)
    scale = 2.**16  # as a loss scaler multiplies it
    with torch.autocast('cpu', dtype=torch.bfloat16, enabled=autocast):
        loss = build()(output, target, weights)
    (scale * loss).backward()
    assert loss.dtype == torch.float32 and output.grad.dtype == dtype
    torch.testing.assert_close(loss, expected[0], rtol=1e-6, atol=0)
    torch.testing.assert_close(
        output.grad.float() / scale,
        expected[1],
        rtol=2 * torch.finfo(dtype).eps,
        atol=1e-12)


@pytest.mark.skipif(
    torch.__version__ < '2.2',
    reason='the compiler of torch 2.1 does not look into named tuples')
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_compiles_into_one_graph(dtype):
    output, target, weights = problem(dtype=dtype)
    expected = loss_and_gradient(build(), output, target, weights)
    compiled = torch.compile(build(), fullgraph=True, backend='aot_eager')
    got = loss_and_gradient(compiled, output, target, weights)
    torch.testing.assert_close(got, expected)


def test_no_gradient_is_needed():
    output, target, weights = problem()
    with torch.no_grad():
        loss = build()(output, target, weights)
    expected = F.mse_loss(output, target.dense(), reduction='none')
    expected = (expected * weights[..., None, None]).mean()
    torch.testing.assert_close(loss, expected)


def test_memory(monkeypatch):
    """One map for each predicted one, its gradient, in the place of four."""
    monkeypatch.setattr(separable_mse_loss, 'CHUNK', 17 * 64 * 48)
    output, target, weights = problem(16, 17, 64, 48)

    def stock_path():
        # The samples' targets, and the batch that the head stacks of them.
        stored = target.dense()
        loss_and_gradient(KeypointMSELoss(), output, torch.stack([*stored]),
                          weights)

    ours = peak_bytes(
        lambda: loss_and_gradient(build(), output, target, weights))
    assert output.nbytes <= ours < 1.01 * output.nbytes
    assert peak_bytes(stock_path) > 3.9 * ours


def test_bad_arguments():
    output, target, weights = problem()
    for args, message in (
        ((output[:, :, 1:], target),
         r"shape \(3, 4, 16, 12\), got \(3, 4, 15, 12\)"),
        ((output, target, weights[:, 1:]),
         r'in shape \(B, K\), \(3, 4\), got \(3, 3\)'),
        ((output, target, torch.ones_like(output)),
         r'got \(3, 4, 16, 12\); .*target.dense\(\)'),
        ((output, target, weights, output > 0),
         r'no mask .*\(3, 4, 16, 12\); .*target.dense\(\)'),
    ):
        with pytest.raises(ValueError, match='SeparableMSELoss: .*' + message):
            build()(*args)
