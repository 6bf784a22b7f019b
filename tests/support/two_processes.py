"""What two processes compute, for a comparison with one.

torchrun --nproc_per_node 2 -m tests.support.two_processes OUT
"""
import sys

import torch
from mmengine.structures import InstanceData, PixelData
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

import srpose_mm.engine.cpu_distributed  # noqa: F401  joins them

SIZE = 64, 96  # w, h of the input
TOP_DOWN = dict(type='SRHeatmap', input_size=SIZE, heatmap_size=SIZE, sigma=4,
                target='keypoints')
BOTTOM_UP = dict(type='SRAssociativeEmbedding', input_size=SIZE)
NECK = dict(type='SRPoseNeck', in_channels=(16, 8), out_channels=(8, 8),
            num_keypoints=5)
HEADS = {
    'SRHead': dict(
        in_channels=8, out_channels=5, deconv_out_channels=(8, ),
        deconv_kernel_sizes=(4, ), decoder=TOP_DOWN),
    'SRPoseHead': dict(
        in_channels=(8, 8), out_channels=5, decoder=TOP_DOWN),
    'SRAssociativeEmbeddingHead': dict(
        in_channels=8, num_keypoints=5, deconv_out_channels=None,
        decoder=BOTTOM_UP)
}
ONE_SCALE = {'SRHead': 8, 'SRAssociativeEmbeddingHead': 4}


class Model(nn.Module):
    """Features of a convolution, and a head's losses."""

    def __init__(self, name):
        super().__init__()
        self.name = name
        self.stem = nn.ModuleList([nn.Conv2d(3, 8, 1), nn.Conv2d(3, 16, 1)])
        self.neck = MODELS.build(NECK) if name == 'SRPoseHead' else None
        self.head = MODELS.build(dict(type=name, **HEADS[name]))
        for parameter in self.head.parameters():
            if parameter.ndim > 1:
                nn.init.normal_(parameter, std=0.1)

    def forward(self, images, samples):
        if self.neck is None:
            scale = ONE_SCALE[self.name]
            small = nn.functional.avg_pool2d(images, scale)
            feats = (self.stem[0](small), )
        else:
            feats = self.neck(tuple(
                stem(nn.functional.avg_pool2d(images, scale))
                for stem, scale in zip(self.stem, (4, 8))))
        losses = self.head.loss(feats, samples)
        if 'loss_pull' in losses and distributed.is_initialized():
            # Sums over the images, which one process has twice as many of.
            losses['loss_pull'] = losses['loss_pull'] * 2
            losses['loss_push'] = losses['loss_push'] * 2
        return losses


def build(name):
    """The same model in each process. Batch statistics are left out."""
    torch.manual_seed(0)
    model = Model(name).eval()
    if name != 'SRPoseHead':
        del model.stem[1]
    return model


def data(name, people):
    """Images with that many people each, the same in each process."""
    generator = torch.Generator().manual_seed(1)
    codec = KEYPOINT_CODECS.build(HEADS[name]['decoder'])
    images, samples = [], []
    for count in people:
        images.append(torch.randn(3, SIZE[1], SIZE[0], generator=generator))
        points = torch.rand(count, 5, 2, generator=generator)
        encoded = codec.encode((points * torch.tensor(SIZE)).numpy())
        sample = PoseDataSample()
        sample.gt_instance_labels = InstanceData()
        for key in ('keypoint_labels', 'keypoint_weights',
                    'keypoint_indices'):
            if key in encoded:
                sample.gt_instance_labels.set_field(
                    torch.from_numpy(encoded[key]), key)
        if name == 'SRAssociativeEmbeddingHead':
            heatmaps = torch.from_numpy(encoded['heatmaps'])
            sample.gt_fields = PixelData(
                heatmaps=heatmaps,
                heatmap_mask=torch.ones(heatmaps.shape[1:], dtype=torch.bool))
        samples.append(sample)
    return torch.stack(images), samples


def gradients(model, images, samples):
    """Of the sum of the losses, by the weights' names."""
    model.zero_grad(set_to_none=True)
    losses = model(images, samples)
    sum(v for k, v in losses.items() if 'loss' in k).backward()
    return {
        name.replace('module.', '', 1) if distributed.is_initialized() else
        name: p.grad
        for name, p in model.named_parameters()
    }


def people_of(name):
    return (1, 1, 1, 1) if name != 'SRAssociativeEmbeddingHead' else (
        2, 0, 3, 1)


def main(out):
    rank = distributed.get_rank()
    half = slice(2 * rank, 2 * rank + 2)
    found = {}
    for name in HEADS:
        model = DistributedDataParallel(build(name))
        images, samples = data(name, people_of(name))
        found[name] = gradients(model, images[half], samples[half])
    # Nobody in the batch of one process, then of the other, then of both.
    for people in ((0, 0, 2, 1), (2, 1, 0, 0), (0, 0, 0, 0), (2, 0, 3, 1)):
        images, samples = data(name, people)
        found[people] = gradients(model, images[half], samples[half])
    if rank == 0:
        torch.save(found, out)


if __name__ == '__main__':
    main(*sys.argv[1:])
