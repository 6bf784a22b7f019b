"""Small models for the tests of exporting."""
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
    """Config of a small model: srpose, sr_head, stock or bottom_up."""
    model = dict(
        type='TopdownPoseEstimator',
        data_preprocessor=PREPROCESSOR,
        backbone=RESNET,
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


def trained_like(cfg, path):
    """Build a model with statistics as after training, and save it."""
    model = MODELS.build(cfg.model).eval()
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    torch.save(dict(state_dict=model.state_dict()), path)
    return model


class PassOn(nn.Module):
    """A backbone whose features are the images."""

    def forward(self, x):
        return (x, )


def heatmaps_as_images(codec, backbone=PassOn):
    """Config of a model that takes heatmaps of three keypoints as images."""
    head = dict(
        type='HeatmapHead',
        in_channels=3,
        out_channels=3,
        deconv_out_channels=None,
        final_layer=None,
        decoder=codec)
    return Config(
        dict(
            model=dict(
                type='TopdownPoseEstimator',
                backbone=dict(type=backbone),
                head=head)))
