"""Small inputs for the tests of models."""
import torch
from mmpose.registry import KEYPOINT_CODECS
from mmpose.testing import get_packed_inputs
from torch.utils._python_dispatch import TorchDispatchMode


def feature_pyramid(channels, height=4, width=3, batch=2):
    """Backbone outputs, fine to coarse; ``channels`` are coarse to fine."""
    feats = [
        torch.randn(batch, c, height * 2**i, width * 2**i)
        for i, c in enumerate(channels)
    ]
    return tuple(feats[::-1])


def data_samples(codec, batch=2, keypoints=17):
    """Samples with the targets of ``codec``."""
    codec = KEYPOINT_CODECS.build(codec)
    samples = get_packed_inputs(
        batch,
        num_instances=1,
        num_keypoints=keypoints,
        input_size=codec.input_size,
        heatmap_size=codec.heatmap_size,
        with_heatmap=True)['data_samples']
    generator = torch.Generator().manual_seed(1)
    size = torch.tensor(codec.input_size)
    for sample in samples:
        points = torch.rand(1, keypoints, 2, generator=generator) * size
        encoded = codec.encode(points.numpy())
        sample.gt_fields.heatmaps = torch.from_numpy(encoded['heatmaps'])
        sample.gt_instance_labels.keypoint_weights = torch.from_numpy(
            encoded['keypoint_weights'])
    return samples


def count_parameters(*modules):
    return sum(p.numel() for module in modules for p in module.parameters())


def draw_gaussians(block, sigma=4.):
    """Let a block draw a Gaussian at each cell where its input is 1.

    Channel k of the input is drawn by keypoint k: the embedding repeats it,
    and the predictor's kernels are a Gaussian between the feature cells.
    """
    r, keypoints = block.upscale_factor, block.predictor.groups
    encoder = block.keypoint_encoder[0]
    torch.nn.init.zeros_(encoder.weight)
    torch.nn.init.zeros_(encoder.bias)
    channels = encoder.out_channels // keypoints
    for k in range(keypoints):
        encoder.weight.data[k * channels:(k + 1) * channels, k] = 1 / channels
    size = block.predictor.kernel_size[0]
    steps = torch.arange(size) - size // 2
    # Cell i of the square is drawn from the feature cell `step` further on.
    distance = r * steps - torch.arange(r)[:, None] + (r - 1) / 2
    profile = torch.exp(-distance**2 / (2 * sigma**2))
    kernel = profile[:, None, :, None] * profile[None, :, None, :]
    block.predictor.weight.data = kernel.flatten(0, 1).repeat(
        keypoints, 1, 1)[:, None].repeat(1, channels, 1, 1)
    torch.nn.init.zeros_(block.predictor.bias)


class LargestTensor(TorchDispatchMode):
    """The largest number of values that an operation returned."""

    def __init__(self):
        super().__init__()
        self.numel = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if torch.is_tensor(out):
            self.numel = max(self.numel, out.numel())
        return out
