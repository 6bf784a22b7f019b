"""Models of timm as backbones, compared with timm itself."""
import sys

import pytest
import timm
import torch
from mmpose.registry import MODELS
from torch.nn.modules.batchnorm import _BatchNorm

# Small models of each family and the arguments that make them smaller.
FAMILIES = {
    'tf_efficientnet_lite0': dict(),
    'convnext_atto': dict(depths=(1, 1, 2, 1), dims=(8, 16, 24, 32)),
    'mobilenetv4_conv_small_050': dict(),
    'swin_tiny_patch4_window7_224': dict(
        img_size=(64, 32), embed_dim=12, depths=(1, 1, 1, 1),
        num_heads=(1, 1, 2, 2), window_size=4),
    'vit_tiny_patch16_224': dict(
        img_size=(64, 32), embed_dim=16, depth=3, num_heads=2),
}
STRIDES = dict.fromkeys(FAMILIES, (4, 8, 16, 32))
STRIDES['vit_tiny_patch16_224'] = (16, )
LITE0, VIT = 'tf_efficientnet_lite0', 'vit_tiny_patch16_224'


def build(name, **kwargs):
    return MODELS.build(
        dict(
            type='TimmBackbone',
            model_name=name,
            model_args=FAMILIES[name],
            **kwargs))


def timm_model(name, **kwargs):
    return timm.create_model(
        name, features_only=True, **FAMILIES[name], **kwargs)


def conv_and_norm(model):
    return [m for m in model.modules()
            if isinstance(m, (torch.nn.Conv2d, _BatchNorm))]


@pytest.mark.parametrize('name', FAMILIES)
def test_forward_is_that_of_timm(name):
    backbone = build(name).eval()
    own = timm_model(name, out_indices=backbone.out_indices).eval()
    own.load_state_dict(backbone.model.state_dict())
    images = torch.randn(2, 3, 64, 32)
    with torch.no_grad():
        feats, expected = backbone(images), own(images)
    assert isinstance(feats, tuple)
    assert backbone.out_strides == STRIDES[name]
    assert [feat.shape for feat in feats] == [
        (2, channels, 64 // stride, 32 // stride) for channels, stride in zip(
            backbone.out_channels, backbone.out_strides)
    ]
    for feat, theirs in zip(feats, expected):
        if theirs.shape != feat.shape:  # Swin in timm: (B, H, W, C)
            theirs = theirs.permute(0, 3, 1, 2)
        torch.testing.assert_close(feat, theirs, rtol=0, atol=0)


@pytest.mark.parametrize('name', FAMILIES)
def test_every_parameter_is_trained(name):
    """Parameters without a gradient stop training in several processes."""
    backbone = build(name)
    sum(feat.sum() for feat in backbone(torch.randn(2, 3, 64, 32))).backward()
    assert [key for key, p in backbone.named_parameters()
            if p.grad is None] == []


def test_out_indices():
    backbone = build(LITE0, out_indices=(-1, ))
    assert backbone.out_strides == (32, )
    feats = backbone.eval()(torch.randn(1, 3, 64, 64))
    assert [feat.shape for feat in feats] == [
        (1, backbone.out_channels[0], 2, 2)]
    # All blocks of a ViT have one stride: the default is the last.
    assert build(VIT).out_indices == (2, )
    assert build(VIT, out_indices=(0, 2)).out_strides == (16, 16)


def test_input_channels_and_drop_path():
    backbone = build(LITE0, in_channels=1, drop_path_rate=0.5)
    images = torch.randn(4, 1, 64, 64)
    backbone.eval()
    assert torch.equal(backbone(images)[-1], backbone(images)[-1])
    backbone.train()
    assert not torch.equal(backbone(images)[-1], backbone(images)[-1])
    backbone = build(LITE0).train()
    assert torch.equal(
        backbone(images.expand(-1, 3, -1, -1))[-1],
        backbone(images.expand(-1, 3, -1, -1))[-1])


@pytest.mark.parametrize('name', FAMILIES)
def test_frozen_stages(name):
    """The stem and the levels up to the index are frozen, and no others."""
    backbone = build(name, frozen_stages=1)
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    backbone.train()
    parameters = [p for p in backbone.parameters() if p.requires_grad]
    optimizer = torch.optim.SGD(parameters, lr=1)
    sum(feat.sum() for feat in backbone(torch.randn(2, 3, 64, 32))).backward()
    optimizer.step()
    changed = {key for key, value in backbone.state_dict().items()
               if not torch.equal(value, before[key])}
    level = backbone.model.feature_info.info[1]['module']
    later = backbone.model.feature_info.info[2]['module']
    keys = {key[len('model.'):] for key in changed}
    joined = {key.replace('model.', '').replace('_', '.') for key in keys}
    assert any(key.startswith(f'{later}.') for key in joined)
    assert not any(key.startswith(f'{level}.') for key in joined)
    stem = next(iter(backbone.state_dict()))
    assert stem not in changed
    # Not frozen: the default.
    assert all(p.requires_grad for p in build(name).parameters())


def test_norm_eval():
    backbone = build(LITE0, norm_eval=True).train()
    norms = [m for m in backbone.modules() if isinstance(m, _BatchNorm)]
    assert norms and not any(m.training for m in norms)
    assert backbone.training
    assert all(m.training for m in build(LITE0).train().modules())


def timm_checkpoint(name, path, **kwargs):
    """Save a whole model of timm, as its authors publish it."""
    model = timm.create_model(name, **dict(FAMILIES[name], **kwargs))
    for parameter in model.parameters():
        parameter.data = torch.randn_like(parameter)
    torch.save(model.state_dict(), path)
    return model


@pytest.mark.parametrize('name', FAMILIES)
def test_pretrained_by_a_checkpoint_of_timm(name, tmp_path):
    path = tmp_path / 'weights.pth'
    trained = timm_checkpoint(name, path)
    backbone = build(
        name, init_cfg=dict(type='Pretrained', checkpoint=str(path)))
    backbone.init_weights()
    expected = {key.replace('.', '_'): value
                for key, value in trained.state_dict().items()}
    for key, value in backbone.model.state_dict().items():
        key = key[len('model.'):] if name == VIT else key
        assert torch.equal(value, expected[key.replace('.', '_')]), key


def test_weights_are_adapted(tmp_path):
    """Weights for colors sum up to gray ones, positions are interpolated."""
    path = tmp_path / 'weights.pth'
    trained = timm_checkpoint(LITE0, path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    backbone = build(LITE0, in_channels=1, init_cfg=init_cfg)
    backbone.init_weights()
    torch.testing.assert_close(backbone.model.conv_stem.weight,
                               trained.conv_stem.weight.sum(1, keepdim=True))
    timm_checkpoint(VIT, path, img_size=(32, 32))
    backbone = build(VIT, init_cfg=init_cfg)
    backbone.init_weights()
    assert backbone.model.model.pos_embed.shape == (1, 1 + 4 * 2, 16)


def test_checkpoint_of_a_pose_model(tmp_path):
    source = build(LITE0)
    state_dict = {f'backbone.{k}': v for k, v in source.state_dict().items()}
    path = tmp_path / 'pose.pth'
    torch.save(dict(state_dict=state_dict), path)
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    backbone = build(LITE0, init_cfg=dict(init_cfg, prefix='backbone.'))
    backbone.init_weights()
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])
    with pytest.raises(ValueError, match='TimmBackbone: expected .*pose.pth to'
                       r' have the weights of timm\'s tf_efficientnet_lite0, '
                       'got none for .*conv_stem.weight; set prefix'):
        build(LITE0, init_cfg=init_cfg).init_weights()


def test_pretrained_asks_timm_when_the_training_starts(monkeypatch):
    source = timm_model(LITE0, out_indices=(1, 2, 3, 4))
    backbone = build(LITE0, pretrained=True)
    calls = []

    def create_model(name, **kwargs):
        calls.append((name, kwargs['pretrained']))
        return source

    monkeypatch.setattr(timm, 'create_model', create_model)
    assert calls == []
    backbone.init_weights()
    assert calls == [(LITE0, True)]
    for key, value in backbone.model.state_dict().items():
        assert torch.equal(value, source.state_dict()[key])


def test_a_download_that_fails(monkeypatch):
    backbone = build(LITE0, pretrained=True)

    def no_network(*args, **kwargs):
        raise OSError('no route')

    monkeypatch.setattr(timm, 'create_model', no_network)
    with pytest.raises(OSError, match='TimmBackbone: cannot download the '
                       r'weights of tf_efficientnet_lite0 \(no route\); set '):
        backbone.init_weights()


@pytest.mark.parametrize('kwargs, message', [
    (dict(pretrained=True, init_cfg=dict(type='Normal')),
      'pretrained or init_cfg, got both'),
    (dict(out_indices=(7, )), r'out_indices to be levels of .*got \(7,\)'),
    (dict(frozen_stages=3, out_indices=(1, )),
     'frozen_stages to be a level up to the last output .*got 3'),
])
def test_wrong_arguments(kwargs, message):
    with pytest.raises(ValueError, match=f'TimmBackbone: expected {message}'):
        build('convnext_atto', **kwargs)


def test_unknown_model():
    with pytest.raises(ValueError, match='model of timm, got \'convnext_big\''
                       r'.*similar names: \[\'convnext'):
        MODELS.build(dict(type='TimmBackbone', model_name='convnext_big'))


def test_without_timm(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match='TimmBackbone: expected the package '
                       'timm, which is not installed; run "pip install timm"'):
        build(LITE0)


@pytest.mark.parametrize('head', [
    dict(type='SRHead', out_channels=3, deconv_out_channels=(8, ) * 3),
    dict(type='SRAssociativeEmbeddingHead', num_keypoints=3,
         deconv_out_channels=(8, ) * 3),
])
def test_heads_behind_it(head):
    """Top-down and bottom-up, at sizes that differ between batches."""
    backbone = build('convnext_atto')
    head = MODELS.build(dict(head, in_channels=backbone.out_channels[-1]))
    for size in ((64, 64), (64, 96)):
        outputs = head(backbone(torch.randn(1, 3, *size)))
        heatmaps = outputs if torch.is_tensor(outputs) else outputs[0]
        assert heatmaps.shape == (1, 3, *size)
