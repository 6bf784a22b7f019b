"""Every head and neck under autocast and torch.compile."""
import shutil

import pytest
import torch
from mmpose.registry import MODELS
from mmpose.testing import get_packed_inputs
from torch import nn

from ..support.model_helpers import data_samples, feature_pyramid

CODEC = dict(type='SRHeatmap', input_size=(96, 128))
AE_CODEC = dict(type='SRAssociativeEmbedding', input_size=(96, 128), sigma=2)
WIDTHS = (32, 16, 8, 8)


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


def build(name):
    """A small system, its features and its samples."""
    neck = None
    if name == 'srpose':
        neck = dict(
            type='SRPoseNeck',
            in_channels=WIDTHS,
            out_channels=WIDTHS,
            num_keypoints=17)
        head = dict(type='SRPoseHead', in_channels=WIDTHS, out_channels=17)
        feats = feature_pyramid(WIDTHS)
    else:
        head = dict(
            type='SRHead',
            in_channels=16,
            out_channels=17,
            deconv_out_channels=(8, 8, 8))
        feats = feature_pyramid((16, ))
    samples = data_samples(CODEC)
    if name == 'bottom_up':
        head['num_keypoints'] = head.pop('out_channels')
        head['type'] = 'SRAssociativeEmbeddingHead'
        samples = get_packed_inputs(
            2, num_instances=2, input_size=(96, 128), heatmap_size=(96, 128),
            with_heatmap=True)['data_samples']
        for sample in samples:
            sample.gt_fields.heatmap_mask = torch.ones(1, 128, 96)
            sample.gt_instance_labels.keypoint_indices = torch.randint(
                0, 2, (2, 17, 2))
    head['decoder'] = AE_CODEC if name == 'bottom_up' else CODEC
    model = NeckAndHead(neck, head)
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.xavier_normal_(module.weight)
    return model, feats, samples


def as_tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs, )


@pytest.mark.parametrize('name', ['srpose', 'sr_head', 'bottom_up'])
def test_bfloat16_autocast(name):
    model, feats, samples = build(name)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = model.loss(feats, samples)
    assert loss.dtype == torch.float32
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), key
    optimizer.step()

    model.eval()
    with torch.no_grad():
        expected = as_tuple(model(feats))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            got = as_tuple(model(feats))
            samples[0].set_metainfo(dict(img_shape=(128, 96)))
            preds = model.head.predict(model.neck(feats), samples, {})
    for a, b in zip(got, expected):
        assert a.dtype == torch.bfloat16
        # bfloat16 has 8 bits, and errors of a few layers add up.
        assert (a - b).abs().max() < 0.1 * b.abs().max()
    assert len(preds) == 2 and preds[0].keypoints.dtype == 'float32'


@pytest.mark.skipif(
    torch.__version__ < '2.2',
    reason='the compiler of torch 2.1 does not look into named tuples')
@pytest.mark.parametrize('backend', [
    'aot_eager',
    pytest.param(
        'inductor',
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                not shutil.which('c++'), reason='needs a C++ compiler')
        ])
])
@pytest.mark.parametrize('name', ['srpose', 'sr_head', 'bottom_up'])
def test_compiles_as_one_graph(name, backend):
    model, feats, _ = build(name)
    model.eval()
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with torch.no_grad():
        for got, want in zip(as_tuple(compiled(feats)), as_tuple(
                model(feats))):
            torch.testing.assert_close(got, want)
