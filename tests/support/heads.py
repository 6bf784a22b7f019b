"""Small systems of a neck and a head, one for each head."""
import torch
from mmpose.registry import MODELS
from mmpose.testing import get_packed_inputs
from torch import nn

from .model_helpers import data_samples, feature_pyramid

NAMES = ['srpose', 'sr_head', 'bottom_up']
WIDTHS = (32, 16, 8, 8)
INPUT = (96, 128)  # (w, h)
CODEC = dict(type='SRHeatmap', input_size=INPUT)
AE_CODEC = dict(type='SRAssociativeEmbedding', input_size=INPUT, sigma=2)


class NeckAndHead(nn.Module):
    """What comes after the backbone."""

    def __init__(self, neck, head):
        super().__init__()
        self.neck = MODELS.build(neck) if neck else nn.Identity()
        self.head = MODELS.build(head)

    def forward(self, feats):
        return self.head(self.neck(feats))

    def loss(self, feats, samples):
        losses = self.head.loss(self.neck(feats), samples)
        return sum(v for k, v in losses.items() if 'loss' in k)


def build(name, batch=2, **head_kwargs):
    """Return a system, the features of its backbone and its samples."""
    neck, widths = None, (16, )
    if name == 'srpose':
        widths = WIDTHS
        neck = dict(type='SRPoseNeck', in_channels=WIDTHS,
                    out_channels=WIDTHS, num_keypoints=17)
        head = dict(type='SRPoseHead', in_channels=WIDTHS, out_channels=17,
                    decoder=CODEC)
    elif name == 'sr_head':
        head = dict(type='SRHead', in_channels=16, out_channels=17,
                    deconv_out_channels=(8, 8, 8), decoder=CODEC)
    else:
        head = dict(type='SRAssociativeEmbeddingHead', in_channels=16,
                    num_keypoints=17, deconv_out_channels=(8, 8, 8),
                    decoder=AE_CODEC)
    model = NeckAndHead(neck, {**head, **head_kwargs})
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
    return model, feature_pyramid(widths, batch=batch), samples(name, batch)


def samples(name, batch=2, keypoints=17):
    """Return samples with targets, two instances of each bottom-up image."""
    if name != 'bottom_up':
        return data_samples(CODEC, batch, keypoints)
    packed = get_packed_inputs(
        batch, num_instances=2, num_keypoints=keypoints, input_size=INPUT,
        heatmap_size=INPUT, with_heatmap=True)['data_samples']
    for sample in packed:
        sample.gt_fields.heatmap_mask = torch.ones(1, *INPUT[::-1])
        sample.gt_instance_labels.keypoint_indices = torch.randint(
            0, 2, (2, keypoints, 2))
        sample.set_metainfo(dict(img_shape=INPUT[::-1]))
    return packed
