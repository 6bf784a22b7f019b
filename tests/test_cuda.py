"""The heads on a GPU; the quick tests also run on the CPU."""
import pytest
import torch
from mmpose.structures import PoseDataSample
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.overrides import TorchFunctionMode

from .support import training
from .support.model_helpers import draw_gaussians
from .support.two_processes import HEADS, SIZE, build, data, people_of

NEEDS_GPU = [
    pytest.mark.cuda,
    pytest.mark.skipif(
        not torch.cuda.is_available(), reason='needs a GPU for CUDA')
]
on_each_device = pytest.mark.parametrize(
    'device', ['cpu', pytest.param('cuda', marks=NEEDS_GPU)])
of_each_head = pytest.mark.parametrize('name', HEADS)


def batch(name, device):
    images, samples = data(name, people_of(name))
    return images.to(device), [sample.to(device) for sample in samples]


def total(losses):
    return sum(value for key, value in losses.items() if 'loss' in key)


def gradients(model, images, samples):
    model.zero_grad(set_to_none=True)
    total(model(images, samples)).backward()
    return [parameter.grad for parameter in model.parameters()]


def assert_near(got, expected):
    """To 1e-3 of the largest value of each: GPUs round to TF32."""
    for a, b in zip(got, expected):
        torch.testing.assert_close(
            a, b, rtol=0, atol=1e-3 * b.abs().max().item())


@pytest.mark.parametrize('dtype', [torch.bfloat16, torch.float16])
@on_each_device
@of_each_head
def test_training_steps_with_mixed_precision(name, device, dtype):
    if device == 'cpu' and dtype == torch.float16:
        pytest.skip('a CPU trains in bfloat16')
    model = build(name).to(device)
    images, samples = batch(name, device)
    full = total(model(images, samples)).item()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    scaler = torch.cuda.amp.GradScaler(enabled=dtype == torch.float16)
    losses = []
    for _ in range(8):
        optimizer.zero_grad()
        with torch.autocast(device, dtype):
            loss = total(model(images, samples))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    assert losses[0] == pytest.approx(full, rel=0.05)
    assert losses[-1] < losses[0]
    assert all(p.isfinite().all() for p in model.parameters())


@on_each_device
@of_each_head
def test_one_distributed_process(name, device, tmp_path, monkeypatch):
    model = build(name).to(device)
    images, samples = batch(name, device)
    expected = gradients(model, images, samples)
    distributed.init_process_group(
        'nccl' if device == 'cuda' else 'gloo',
        init_method=f'file://{tmp_path}/store',
        rank=0,
        world_size=1)
    try:
        wrapped = DistributedDataParallel(model)
        # The model doubles sums over images for two processes.
        monkeypatch.setattr(distributed, 'is_initialized', lambda: False)
        got = gradients(wrapped, images, samples)
    finally:
        distributed.destroy_process_group()
    assert_near(got, expected)


@on_each_device
@of_each_head
def test_channels_last(name, device):
    model = build(name).to(device)
    images, samples = batch(name, device)
    expected = gradients(model, images, samples)
    model.to(memory_format=torch.channels_last)
    images = images.contiguous(memory_format=torch.channels_last)
    assert_near(gradients(model, images, samples), expected)


def drawing_head(name, device):
    """Return a head that draws a Gaussian at each 1 of its features."""
    head = build(name).head
    draw_gaussians(head.last_block)
    head.block_input = lambda feats: feats[-1]
    if name == 'SRAssociativeEmbeddingHead':
        nn.init.zeros_(head.tag_layer.weight)
        nn.init.zeros_(head.tag_layer.bias)
    return head.to(device)


def features_with_peaks(device, images=4):
    feats = torch.zeros(images, 8, SIZE[1] // 4, SIZE[0] // 4)
    for image, channels in enumerate(feats[:, :5]):
        for k, channel in enumerate(channels):
            channel[3 + 4 * k, 2 + 3 * image + k % 2] = 1
    return (feats.to(device), )


def predict(head, feats, **test_cfg):
    metainfo = dict(input_size=SIZE, img_shape=SIZE[::-1])
    samples = [PoseDataSample(metainfo=metainfo)] * len(feats[0])
    with torch.no_grad():
        return head.predict(feats, samples, test_cfg)


@on_each_device
@of_each_head
def test_peaks_only(name, device):
    head, feats = drawing_head(name, device), features_with_peaks(device)
    dense = predict(head, feats, peaks_only=False)
    for got, expected in zip(predict(head, feats, peaks_only=True), dense):
        assert expected.keypoints.shape == (1, 5, 2)
        assert (expected.keypoint_scores > 0.5).all()
        torch.testing.assert_close(
            got.keypoints, expected.keypoints, rtol=0, atol=0.01)


@on_each_device
@of_each_head
def test_compiles(name, device):
    head, feats = drawing_head(name, device).eval(), features_with_peaks(
        device)
    block = head.last_block
    torch.compiler.reset()
    compiled = torch.compile(
        block, backend='inductor' if device == 'cuda' else 'aot_eager')
    with torch.no_grad():
        assert_near([compiled(feats[-1])], [block(feats[-1])])
    torch.compiler.reset()


class CopiedBytes(TorchFunctionMode):
    """Bytes of the tensors that are copied to the host."""

    COPIES = {torch.Tensor.cpu, torch.Tensor.item, torch.Tensor.tolist,
              torch.Tensor.__int__, torch.Tensor.__bool__,
              torch.Tensor.__float__}
    total = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        if func in self.COPIES:
            self.total += args[0].numel() * args[0].element_size()
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize('peaks_only', [False, True])
@on_each_device
@of_each_head
def test_bytes_copied_to_the_host(name, device, peaks_only):
    """Coordinates and scores of keypoints or candidates, not heatmaps."""
    head, feats = drawing_head(name, device), features_with_peaks(device)
    with CopiedBytes() as copied:
        predict(head, feats, peaks_only=peaks_only)
    # (x, y, value, two tags) of 30 candidates, or (x, y, value) of one.
    candidates = 30 * 5 if name == 'SRAssociativeEmbeddingHead' else 3
    assert copied.total == 4 * 4 * 5 * candidates


class Interrupted(Exception):
    pass


def interrupt():
    raise Interrupted


@pytest.mark.parametrize('device', [pytest.param('cuda', marks=NEEDS_GPU)])
def test_resume(device, toy_coco, tmp_path):
    """A training that is interrupted ends as one that is not."""
    options = {'randomness': dict(seed=0, deterministic=True)}
    straight = training.train(
        training.config(toy_coco, tmp_path / 'straight', **options))
    with pytest.raises(Interrupted):
        training.train(
            training.config(toy_coco, tmp_path / 'resumed', **options),
            training.StopAt(4, interrupt))
    resumed = training.train(
        training.config(
            toy_coco, tmp_path / 'resumed', resume=True, **options))
    assert next(resumed.model.parameters()).device.type == device
    expected, got = training.state(straight), training.state(resumed)
    assert got.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(got[key], value, msg=key)
