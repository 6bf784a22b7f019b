"""The models to compare, all on the same backbone."""
import copy
from functools import partial
from typing import Dict, List, NamedTuple, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.dataset import Compose
from mmpose.registry import MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from srpose_mm.apis import fuse_for_inference, swap_head
from srpose_mm.configs import load_config, type_name
from srpose_mm.models.layers import RefinementBlock, SRBlock
from srpose_mm.models.necks import SRPoseNeck

KEYPOINTS = 17
# Stock config, (w, h) of the last features and the deconvolutions of SimCC.
BACKBONES = {
    'ResNet-50': ('td-hm_res50_8xb64-210e_coco-256x192', (6, 8), True),
    'HRNet-W32': ('td-hm_hrnet-w32_8xb64-210e_coco-256x192', (48, 64), False),
    'MobileNetV2': ('td-hm_mobilenetv2_8xb64-210e_coco-256x192', (6, 8),
                    False)
}
STOCK = 'heatmaps 1/4'  # the yardstick of every ratio
STOCK_FAST = 'heatmaps 1/4, fused'
STOCK_DECODED = 'heatmaps 1/4, SRHeatmap'
SIMCC, RTMCC = 'SimCC', 'RTMCC'
PUBLISHED = 'SRPose as published'
DENSE, PEAKS = 'SRPose, full maps', 'SRPose, peaks only'


class System(NamedTuple):
    """A model.

    Attributes:
        cfg: Its config.
        fast: Whether predictions use the fused model, and training the
            channels-last memory format.
        published: Whether SRPose is computed as its authors do, in the memory
            format of the features.
    """

    cfg: Config
    fast: bool = False
    published: bool = False

    @property
    def codec(self) -> dict:
        """Return the config of the codec."""
        return self.cfg.model.head.decoder

    def build(self, device: torch.device, deploy: bool = False) -> nn.Module:
        """Build the model with random weights."""
        torch.manual_seed(0)
        model = MODELS.build(copy.deepcopy(self.cfg.model)).to(device)
        if self.published:
            for module in model.modules():
                if isinstance(module, SRBlock):
                    module.forward = partial(_published_forward, module)
                elif isinstance(module, SRPoseNeck):
                    module._fuse = _published_fuse
                elif isinstance(module, RefinementBlock):
                    module.act = nn.GELU()
        if deploy:
            model.eval()
            return fuse_for_inference(model) if self.fast else model
        if self.fast:
            model = model.to(memory_format=torch.channels_last)
        return model

    def images(self, batch: int, device: torch.device) -> Tensor:
        """Return random images (B, 3, h, w) in the model's memory format."""
        width, height = self.codec['input_size']
        images = torch.randn(batch, 3, height, width, device=device)
        if self.fast:
            images = images.contiguous(memory_format=torch.channels_last)
        return images

    def samples(self, batch: int,
                device: torch.device) -> List[PoseDataSample]:
        """Return samples of random keypoints with targets."""
        pack = Compose([
            dict(type='GenerateTarget', encoder=self.codec),
            dict(type='PackPoseInputs')
        ])
        rng = np.random.default_rng(0)
        size = np.array(self.codec['input_size'], dtype=np.float32)
        samples = []
        for _ in range(batch):
            keypoints = size * rng.uniform(size=(1, KEYPOINTS, 2))
            keypoints = keypoints.astype(np.float32)
            packed = pack(
                dict(
                    img=np.zeros((*size[::-1].astype(int), 3), np.uint8),
                    input_size=tuple(self.codec['input_size']),
                    input_center=size / 2,
                    input_scale=size,
                    flip_indices=list(range(KEYPOINTS)),
                    bbox=np.array([[0, 0, *size]], np.float32),
                    bbox_score=np.ones(1, np.float32),
                    keypoints=keypoints,
                    transformed_keypoints=keypoints,
                    keypoints_visible=np.ones((1, KEYPOINTS), np.float32)))
            samples.append(packed['data_samples'].to(device))
        return samples


def load_systems(backbone: str) -> Dict[str, System]:
    """Load the models to compare, for COCO at 256x192.

    ``STOCK`` is MMPose's heatmap head, ``STOCK_FAST`` the same after
    :func:`fuse_for_inference`, ``STOCK_DECODED`` the same with
    :class:`SRHeatmap` for the decoding. ``PUBLISHED`` is SRPose with the
    targets, loss and decoding of MMPose's codec on full-size heatmaps.
    ``DENSE`` and ``PEAKS`` are SRPose as ``swap_head`` configures it, fused,
    without and with peak-only prediction.

    Args:
        backbone: One of ``BACKBONES``.
    """
    name, feature_size, deconv = BACKBONES[backbone]
    stock = load_config(name)
    stock.model.backbone.init_cfg = None
    srpose = swap_head(stock, 'srpose')
    size = tuple(stock.codec.input_size)
    quarter = dict(stock.codec, type='SRHeatmap')
    full = dict(type='MSRAHeatmap', input_size=size, heatmap_size=size,
                sigma=8)
    simcc = dict(type='SimCCLabel', input_size=size, sigma=6.,
                 simcc_split_ratio=2.)
    axes = dict(
        in_channels=stock.model.head.in_channels,
        out_channels=KEYPOINTS,
        input_size=size,
        in_featuremap_size=feature_size,
        simcc_split_ratio=2.,
        loss=dict(type='KLDiscretLoss', use_target_weight=True))
    simcc_head = dict(
        axes, type='SimCCHead',
        deconv_out_channels=(256, 256, 256) if deconv else None)
    rtmcc_head = dict(
        axes, type='RTMCCHead', final_layer_kernel_size=7,
        gau_cfg=dict(hidden_dims=256, s=128, expansion_factor=2,
                     dropout_rate=0., drop_path=0., act_fn='SiLU',
                     use_rel_bias=False, pos_enc=False))
    mse = dict(type='KeypointMSELoss', use_target_weight=True)
    head = dict(stock.model.head)
    dense = copy.deepcopy(srpose)
    dense.model.test_cfg.peaks_only = False
    return {
        STOCK: System(stock),
        STOCK_FAST: System(stock, fast=True),
        STOCK_DECODED: System(_replace(stock, head, quarter)),
        SIMCC: System(_replace(stock, simcc_head, simcc)),
        RTMCC: System(_replace(stock, rtmcc_head, simcc)),
        PUBLISHED: System(
            _replace(srpose, dict(srpose.model.head, loss=mse), full),
            published=True),
        DENSE: System(dense, fast=True),
        PEAKS: System(srpose, fast=True)
    }


def _replace(cfg: Config, head: dict, codec: dict) -> Config:
    """Return a copy of a config with another head and codec."""
    cfg = copy.deepcopy(cfg)
    cfg.codec = codec
    cfg.model.head = dict(head, decoder=codec)
    for step in cfg.train_dataloader.dataset.pipeline:
        if type_name(step) == 'GenerateTarget':
            step.encoder = codec
    return cfg


def after_backbone(model: nn.Module, feats: Tuple[Tensor, ...]):
    """Return the input of a model's head."""
    return model.neck(feats) if model.with_neck else feats


def _published_forward(block: SRBlock, x: Tensor) -> Tensor:
    squares = block.predictor(block.keypoint_encoder(x))
    return F.pixel_shuffle(squares, block.upscale_factor)


def _published_fuse(conv: nn.Conv2d, coarse: Tensor, fine: Tensor) -> Tensor:
    coarse = F.interpolate(coarse, size=fine.shape[-2:])
    return conv(torch.cat([coarse, fine], dim=1))
