"""Backbones: their outputs decide, not their names."""
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn

from srpose_mm.apis import SwapRefused, swap_files, swap_head
from srpose_mm.configs import load_config, locate_config
from srpose_mm.swap.write_config import same_config

from ..support.stock_models import AE, RES50, RTMPOSE, write_stock_config
from ..support.tools import load_tool

compare_table = load_tool('swap_head').compare_table
HRNET = 'td-hm_hrnet-w32_8xb64-210e_coco-256x192'
MOBILENET = dict(type='MobileNetV3', out_indices=(0, 2, 7, 10))


@MODELS.register_module()
class BackboneOfAUser(nn.Module):
    """Outputs of stride 8, 16, 16 and 32, of which out_indices are chosen."""

    def __init__(self, out_indices=(0, 1, 2, 3)):
        super().__init__()
        self.out_indices = out_indices
        self.stem = nn.Conv2d(3, 4, 9, stride=8, padding=4)
        self.stages = nn.ModuleList(
            nn.Conv2d(c, c + 2, 3, stride, padding=1)
            for c, stride in ((4, 2), (6, 1), (8, 2)))

    def forward(self, x):
        feats = [self.stem(x)]
        for stage in self.stages:
            feats.append(stage(feats[-1]))
        return tuple(feats[i] for i in self.out_indices)


def with_backbone(backbone, name=RES50):
    cfg = load_config(name)
    cfg.model.backbone = backbone
    return cfg


def check_trains(cfg, channels=3):
    """One forward pass in training, at a small batch of the input's size."""
    model = MODELS.build(cfg.model).train()
    width, height = cfg.codec.input_size
    feats = model.extract_feat(torch.randn(2, channels, height, width))
    maps = model.head.forward_levels(feats)
    assert maps[-1].shape == (2, 17, height, width)
    sum(heatmaps.sum() for heatmaps in maps).backward()
    assert [key for key, p in model.named_parameters() if p.grad is None] == []


def test_srpose_behind_outputs_of_four_strides():
    """A known class, but one that SRPose was not told about."""
    cfg = swap_head(with_backbone(MOBILENET), 'srpose')
    assert cfg.model.backbone == MOBILENET
    assert cfg.model.neck.in_channels == (96, 48, 24, 16)
    assert cfg.model.head.upscale_factors == (8, 4, 2, 4)
    assert cfg.codec.heatmap_size == (192, 256)
    check_trains(cfg)


@pytest.mark.parametrize('size', [(144, 192), (80, 112), (48, 80)])
def test_srpose_with_a_size_that_no_stride_divides(size):
    """The maps are rounded up; the factors stay those of the strides."""
    cfg = load_config(RES50)
    cfg.codec.input_size = cfg.model.head.decoder.input_size = size
    cfg = swap_head(cfg, 'srpose')
    assert cfg.model.head.upscale_factors == (8, 4, 2, 4)
    check_trains(cfg)


def test_srpose_behind_a_backbone_of_a_user():
    cfg = swap_head(with_backbone(dict(
        type='BackboneOfAUser', out_indices=(0, 2, 3))), 'srpose')
    assert cfg.model.backbone.out_indices == (0, 2, 3)
    assert cfg.model.neck.in_channels == (10, 8, 4)
    assert cfg.model.head.upscale_factors == (8, 4, 8)
    check_trains(cfg)
    # Two outputs have one stride.
    with pytest.raises(SwapRefused, match='BackboneOfAUser to output at most '
                       r'4 .*widths \[24, 12, 12, 6\]; set its out_indices'):
        swap_head(with_backbone(dict(type='BackboneOfAUser')), 'srpose')


def test_srpose_behind_one_output():
    with pytest.raises(SwapRefused, match='behind BackboneOfAUser: features '
                       r'of two .*got one map of 6x8 cells; set its out_indi'):
        swap_head(with_backbone(dict(
            type='BackboneOfAUser', out_indices=(3, ))), 'srpose')


def test_srpose_behind_fewer_stages_than_usual():
    """A ResNet without its last stage keeps the outputs that it has."""
    cfg = with_backbone(
        dict(
            type='ResNet', depth=18, num_stages=3, strides=(1, 2, 2),
            dilations=(1, 1, 1), out_indices=(0, 1, 2)))
    cfg = swap_head(cfg, 'srpose')
    assert cfg.model.neck.in_channels == (256, 128, 64)
    assert cfg.model.head.upscale_factors == (4, 2, 4)


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_a_size_that_the_backbone_cannot_process(scheme):
    """HRNet adds maps that it upsamples: the sides are multiples of 32."""
    cfg = load_config(HRNET)
    for codec in (cfg.codec, cfg.model.head.decoder):
        codec.update(input_size=(180, 250), heatmap_size=(45, 62))
    with pytest.raises(ValueError, match='HRNet: expected an input size that '
                       'is a multiple of 32, got 180x250; use 192x256'):
        swap_head(cfg, scheme)


GRAY = '''
gray = [dict(type='LoadImage', color_type='grayscale'),
        dict(type='GetBBoxCenterScale'),
        dict(type='TopdownAffine', input_size=(64, 64))]
model = dict(
    data_preprocessor=dict(_delete_=True, type='PoseDataPreprocessor',
                           mean=[127.5], std=[60.]),
    backbone=dict(depth=18, init_cfg=None, in_channels=1),
    head=dict(in_channels=512, decoder=dict(
        input_size=(64, 64), heatmap_size=(16, 16))))
codec = dict(input_size=(64, 64), heatmap_size=(16, 16))
train_dataloader = dict(dataset=dict(pipeline=[
    *gray, dict(type='GenerateTarget', encoder=codec),
    dict(type='PackPoseInputs')]))
val_dataloader = dict(dataset=dict(pipeline=[
    *gray, dict(type='PackPoseInputs')]))
test_dataloader = val_dataloader
'''


@pytest.mark.parametrize('scheme', ['sr', 'srpose'])
def test_gray_images(scheme, tmp_path):
    base = f"_base_ = ['{write_stock_config(tmp_path)}']\n"
    (tmp_path / 'gray.py').write_text(base + GRAY)
    files = swap_files(tmp_path / 'gray.py', tmp_path / 'mine.py', scheme)
    assert 'not counted' not in compare_table(
        load_config(tmp_path / 'gray.py'), files.cfg)
    cfg = Config.fromfile(tmp_path / 'mine.py')
    assert cfg.model.backbone.in_channels == 1
    assert cfg.model.data_preprocessor.mean == [127.5]
    assert cfg.train_dataloader.dataset.pipeline[0].color_type == 'grayscale'
    if scheme == 'srpose':
        check_trains(cfg, channels=1)


def test_gray_images_bottom_up():
    """The added pipeline loads images as the test pipeline does."""
    cfg = load_config(AE)
    cfg.model.backbone.in_channels = 1
    cfg.test_dataloader.dataset.pipeline[0].color_type = 'grayscale'
    cfg = swap_head(cfg)
    assert cfg.train_pipeline[0] == dict(
        type='LoadImage', color_type='grayscale')


def test_crowds_are_masked_bottom_up():
    """The run-length encoding of a crowd, as COCO writes it."""
    pipeline = swap_head(AE).train_pipeline
    step, = (step for step in pipeline if 'Mask' in step.type)
    from mmpose.registry import TRANSFORMS
    # 3 columns of 4: pixels 5 to 8 from the top of the first column.
    crowd = dict(size=[4, 3], counts=[5, 4, 3])
    results = TRANSFORMS.build(step).transform(
        dict(
            img_shape=(4, 3),
            input_size=(3, 4),
            warp_mat=torch.eye(2, 3).numpy(),
            invalid_segs=[crowd]))
    expected = torch.ones(12)
    expected[5:9] = 0
    assert results['heatmap_mask'].tolist() == (
        expected.reshape(3, 4).T.bool().tolist())


def test_stock_masks_of_a_training_pipeline_are_replaced():
    """MMPose's mask ignores crowds that are run-length encoded."""
    cfg = load_config(AE)
    codec = dict(cfg.codec)
    cfg.train_dataloader.dataset.pipeline = [
        dict(type='GenerateTarget', encoder=codec),
        dict(type='BottomupGetHeatmapMask', get_invalid=True)
    ]
    cfg = swap_head(cfg)
    targets, mask = cfg.train_dataloader.dataset.pipeline
    assert targets.encoder == cfg.codec
    assert mask == dict(
        type='mmpose.BottomupGetValidMask', get_invalid=True)


def test_backbone_of_timm():
    """The new backbone brings its own channels and normalization."""
    stock = load_config(RTMPOSE)
    cfg = swap_head(RTMPOSE, 'srpose', backbone='timm:tf_efficientnet_lite0')
    model = cfg.model
    assert model.backbone == dict(
        type='TimmBackbone', model_name='tf_efficientnet_lite0',
        out_indices=None, pretrained=True)
    assert model.neck.in_channels == (320, 112, 40, 24)
    assert model.head.upscale_factors == (8, 4, 2, 4)
    # Known to use (x - 127.5) / 127.5.
    assert model.data_preprocessor == dict(
        stock.model.data_preprocessor, mean=[127.5] * 3, std=[127.5] * 3)
    check_trains(cfg)


def test_backbone_of_timm_bottom_up():
    """One gray channel: timm has no mean and deviation for it."""
    stock = load_config(AE)
    stock.model.backbone.in_channels = 1
    cfg = swap_head(stock, backbone='timm:mobilenetv4_conv_small_050')
    assert cfg.model.backbone.in_channels == 1
    assert cfg.model.data_preprocessor == stock.model.data_preprocessor
    assert cfg.model.head.in_channels == 480
    assert cfg.model.head.deconv_out_channels == (256, 256, 256)
    assert cfg.codec.heatmap_size == (512, 512)


def test_backbone_of_timm_with_sr_head():
    cfg = swap_head('td-hm_hrnet-w32_8xb64-210e_coco-256x192',
                    backbone='timm:tf_efficientnet_lite0')
    assert cfg.model.backbone.out_indices == (-1, )
    # HRNet has stride 4 and the stock head no deconvolutions.
    assert cfg.model.head.deconv_out_channels == (256, 256, 256)
    assert cfg.model.head.in_channels == 320
    assert cfg.codec.heatmap_size == (192, 256)
    model = MODELS.build(cfg.model)
    with torch.no_grad():
        feats = model.extract_feat(torch.randn(1, 3, 256, 192))
        assert model.head.forward(feats).shape == (1, 17, 256, 192)


def test_plain_vit_of_timm():
    """One stride: SRPose gets four levels from a feature pyramid."""
    cfg = swap_head(RES50, 'srpose', backbone='timm:vit_tiny_patch16_224')
    assert cfg.model.backbone.model_args == dict(img_size=(256, 192))
    assert cfg.model.neck == dict(
        type='SRPosePyramidNeck', in_channels=192, num_keypoints=17,
        out_channels=(256, 128, 64, 32))
    assert cfg.model.head.upscale_factors == (8, 4, 2, 4)
    check_trains(cfg)


@pytest.mark.parametrize('name, neck', [
    ('td-hm_ViTPose-small_8xb64-210e_coco-256x192', None),
    ('td-hm_ViTPose-small-simple_8xb64-210e_coco-256x192',
     'FeatureMapProcessor'),
])
def test_vitpose_without_mmpretrain(name, neck, tmp_path):
    """The stock head tells the size of features that cannot be computed."""
    stock = tmp_path / 'stock.py'
    stock.write_text(f'''
_base_ = ['{locate_config(name)}']
model = dict(backbone=dict(type='missing.VisionTransformer'))
''')
    assert (load_config(stock).model.get('neck') or {}).get('type') == neck
    files = swap_files(stock, tmp_path / 'mine.py', 'srpose')
    cfg = files.cfg
    assert cfg.model.neck.type == 'SRPosePyramidNeck'
    assert cfg.model.neck.in_channels == 384
    assert cfg.model.head.upscale_factors == (8, 4, 2, 4)
    assert cfg.codec.heatmap_size == (192, 256)
    table = compare_table(load_config(stock), cfg)
    assert table.splitlines()[3].split() == [
        '|', 'after', '|', 'SRPosePyramidNeck', '|', 'SRPoseHead', '|',
        '192x256', '|', '|', '|', '|'
    ]
    assert 'after: not counted, \'missing.VisionTransformer' in table
    assert same_config(Config.fromfile(tmp_path / 'mine.py'), cfg)
    cfg = load_config(stock)
    cfg.model.head.decoder = dict(type='SimCCLabel', input_size=(192, 256))
    with pytest.raises(SwapRefused, match='missing.VisionTransformer cannot '
                       'be built here.*install its package'):
        swap_head(cfg, 'srpose')


def test_unknown_model_of_timm():
    with pytest.raises(ValueError, match='model of timm, got \'resnet19\''):
        swap_head(RES50, backbone='timm:resnet19')
