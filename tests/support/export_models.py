"""Small models for the tests of deployment."""
import torch
from mmengine.config import Config
from mmpose.registry import MODELS
from torch import nn

MEAN, STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]
PREPROCESSOR = dict(
    type='PoseDataPreprocessor', mean=MEAN, std=STD, bgr_to_rgb=True)
RESNET = dict(
    type='ResNet',
    depth=18,
    stem_channels=8,
    base_channels=8,
    out_indices=(0, 1, 2, 3))
HRNET = dict(
    type='HRNet',
    extra=dict(
        stage1=dict(
            num_modules=1,
            num_branches=1,
            block='BOTTLENECK',
            num_blocks=(1, ),
            num_channels=(16, )),
        **{
            f'stage{n}': dict(
                num_modules=1,
                num_branches=n,
                block='BASIC',
                num_blocks=(1, ) * n,
                num_channels=(8, 16, 32, 64)[:n])
            for n in (2, 3, 4)
        }))
PYRAMID = (64, 32, 16, 8)
DECONVS = dict(
    in_channels=64,
    deconv_out_channels=(8, 8, 8),
    deconv_kernel_sizes=(4, 4, 4))
SR_HEATMAP = dict(type='SRHeatmap', input_size=(64, 96), sigma=4)
HEADS = dict(
    srpose=dict(
        type='SRPoseHead',
        in_channels=(32, 16, 8, 8),
        out_channels=17,
        decoder=SR_HEATMAP),
    sr_head=dict(
        type='SRHead', out_channels=17, decoder=SR_HEATMAP, **DECONVS),
    hrnet=dict(
        type='SRHead',
        in_channels=8,
        out_channels=17,
        deconv_out_channels=None,
        decoder=SR_HEATMAP),
    stock=dict(
        type='HeatmapHead',
        out_channels=17,
        decoder=dict(
            type='MSRAHeatmap',
            input_size=(64, 96),
            heatmap_size=(16, 24),
            sigma=2),
        **DECONVS),
    bottom_up=dict(
        type='SRAssociativeEmbeddingHead',
        num_keypoints=17,
        decoder=dict(
            type='SRAssociativeEmbedding', input_size=(64, 96), sigma=2),
        **DECONVS))


def small_config(name):
    """Return the config of a small model; the names are those of HEADS."""
    model = dict(
        type='TopdownPoseEstimator',
        data_preprocessor=PREPROCESSOR,
        backbone=HRNET if name == 'hrnet' else RESNET,
        head=HEADS[name])
    if name == 'srpose':
        model['neck'] = dict(
            type='SRPoseNeck',
            in_channels=PYRAMID,
            out_channels=(32, 16, 8, 8),
            num_keypoints=17)
    if name == 'bottom_up':
        model['type'] = 'BottomupPoseEstimator'
    return Config(dict(model=model))


def randomize(model):
    """Give a model weights and statistics as after a training."""
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
        elif isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.xavier_normal_(module.weight)
            if module.bias is not None:
                nn.init.normal_(module.bias, std=0.1)
    return model.eval()


def save_randomized(cfg, path):
    """Build a model with random weights, save them and return the model."""
    model = randomize(MODELS.build(cfg.model))
    torch.save(dict(state_dict=model.state_dict()), path)
    return model


class PassOn(nn.Module):
    """A backbone whose features are the images."""

    def __init__(self, in_channels=3):
        super().__init__()

    def forward(self, x):
        return (x, )


def heatmaps_as_images(codec, backbone=PassOn, keypoints=3):
    """Return the config of a model whose heatmaps are its images."""
    head = dict(
        type='HeatmapHead',
        in_channels=keypoints,
        out_channels=keypoints,
        deconv_out_channels=None,
        final_layer=None,
        decoder=codec)
    return Config(
        dict(
            model=dict(
                type='TopdownPoseEstimator',
                backbone=dict(type=backbone),
                head=head)))
