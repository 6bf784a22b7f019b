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

from srpose_mm.configs import MMPOSE_MIM, SRPOSE_MIM
from srpose_mm.models.layers import SRBlock
from srpose_mm.models.necks import SRPoseNeck

OURS = SRPOSE_MIM / 'configs'
CONFIGS = dict(
    simple=MMPOSE_MIM / 'configs/body_2d_keypoint/topdown_heatmap/coco/'
    'td-hm_res50_8xb64-210e_coco-256x192.py',
    simcc=MMPOSE_MIM / 'configs/body_2d_keypoint/simcc/coco/'
    'simcc_res50_8xb64-210e_coco-256x192.py',
    sr_head=OURS / 'body_2d_keypoint/sr_head/coco/'
    'td-sr_res50_8xb32-210e_coco-256x192.py',
    srpose=OURS / 'body_2d_keypoint/srpose/coco/'
    'td-srpose_res50_8xb32-210e_coco-256x192.py')
# The yardstick of every ratio.
BASELINE = 'stock 1/4'


class System(NamedTuple):
    """A way to get from images to keypoints.

    Attributes:
        cfg: Its config.
        fast: Whether it runs in this package's fast form.
    """

    cfg: Config
    fast: bool = False

    def build(self, device: torch.device) -> nn.Module:
        """Build the model with random weights.

        Outside the fast form no part is moved into another memory layout.
        """
        torch.manual_seed(0)
        model = MODELS.build(copy.deepcopy(self.cfg.model)).to(device)
        if self.fast:
            return model.to(memory_format=torch.channels_last)
        for module in model.modules():
            if isinstance(module, SRBlock):
                module.forward = partial(_plain_forward, module)
            elif isinstance(module, SRPoseNeck):
                module._fuse = _plain_fuse
        return model

    @property
    def input_size(self) -> Tuple[int, int]:
        """(width, height) of the network's input, in px."""
        return tuple(self.cfg.model.head.decoder.input_size)

    def images(self, batch: int, device: torch.device) -> Tensor:
        """Random images (B, 3, h, w), in the form's memory layout."""
        width, height = self.input_size
        images = torch.randn(batch, 3, height, width, device=device)
        if self.fast:
            images = images.contiguous(memory_format=torch.channels_last)
        return images

    def samples(self, batch: int,
                device: torch.device) -> List[PoseDataSample]:
        """Make samples with targets of random keypoints."""
        pack = Compose(self.cfg.train_dataloader.dataset.pipeline[-2:])
        rng = np.random.default_rng(0)
        width, height = self.input_size
        samples = []
        for _ in range(batch):
            keypoints = rng.uniform(0, (width, height), (1, 17, 2))
            keypoints = keypoints.astype(np.float32)
            packed = pack(
                dict(
                    img=np.zeros((height, width, 3), np.uint8),
                    keypoints=keypoints,
                    transformed_keypoints=keypoints,
                    keypoints_visible=np.ones((1, 17), np.float32)))
            samples.append(packed['data_samples'].to(device))
        return samples


Systems = Dict[str, System]


def load_systems() -> Systems:
    """Return the systems to compare, ResNet-50 on COCO 256x192.

    ``stock 1/4`` is MMPose's simple baseline; ``stock full`` the SR head
    trained and decoded with MMPose's codec and loss; ``SRPose plain`` this
    package without its device-side targets and decoding, as the paper has it.
    What is ``fast`` has those, weights in channels-last memory and, in
    inference, the fused form; of ``stock 1/4 fast`` the latter two, which can
    be had for any model.
    """
    cfgs = {name: Config.fromfile(path) for name, path in CONFIGS.items()}
    for cfg in cfgs.values():
        cfg.model.backbone.init_cfg = None
    size = cfgs['sr_head'].codec.input_size
    stock_codec = dict(
        type='MSRAHeatmap', input_size=size, heatmap_size=size, sigma=8)
    full = copy.deepcopy(cfgs['sr_head'])
    plain = copy.deepcopy(cfgs['srpose'])
    _use(full, stock_codec)
    _use(plain, {**plain.codec, 'target': 'heatmaps'})
    return {
        BASELINE: System(cfgs['simple']),
        'stock 1/4 fast': System(cfgs['simple'], fast=True),
        'stock full': System(full),
        'SimCC': System(cfgs['simcc']),
        'SR head fast': System(cfgs['sr_head'], fast=True),
        'SRPose plain': System(plain),
        'SRPose fast': System(cfgs['srpose'], fast=True)
    }


def _use(cfg: Config, codec: dict) -> None:
    """Put a codec and MMPose's loss into a config."""
    cfg.codec = cfg.model.head.decoder = codec
    cfg.model.head.loss = dict(type='KeypointMSELoss', use_target_weight=True)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type == 'GenerateTarget':
            step.encoder = codec


def _plain_forward(block: SRBlock, x: Tensor) -> Tensor:
    """Run the forward pass in the memory layout of the features."""
    squares = block.predictor(block.keypoint_encoder(x))
    return F.pixel_shuffle(squares, block.upscale_factor)


def _plain_fuse(conv: nn.Conv2d, coarse: Tensor, fine: Tensor) -> Tensor:
    """Resize, concatenate, convolve."""
    coarse = F.interpolate(coarse, size=fine.shape[-2:])
    return conv(torch.cat([coarse, fine], dim=1))
