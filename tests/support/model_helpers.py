"""Small inputs for the tests of models."""
import torch
from mmpose.registry import KEYPOINT_CODECS
from mmpose.testing import get_packed_inputs


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
