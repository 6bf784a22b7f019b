"""From heatmaps to keypoints, with MMPose's codecs and with ours."""
from functools import partial
from typing import List, Tuple

import numpy as np
import torch
from mmpose.registry import KEYPOINT_CODECS, MODELS
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from .measure import Settings, Tasks, time_tasks
from .systems import KEYPOINTS

SIZE = (192, 256)  # (w, h) of input and heatmaps
REFINEMENTS = ('none', 'shift', 'dark', 'parabola')
MMPOSE, OURS = "MMPose's codec", "this package's codec"
BOTTOM_UP = (512, 512)
BOTTOM_UP_CODEC = dict(
    input_size=BOTTOM_UP, heatmap_size=BOTTOM_UP, sigma=8,
    decode_nms_kernel=11, decode_max_instances=30,
    decode_keypoint_order=list(range(KEYPOINTS)))
SAMPLES = [PoseDataSample(metainfo=dict(input_size=BOTTOM_UP))]
# Keypoints of an instance are within this distance in px of its center.
REACH = 60


def measure_decoding(settings: Settings) -> List[dict]:
    """Time the decoding of full-size heatmaps with each refinement.

    MMPose's codec always refines: its shift is beside ``'none'``, its Newton
    step beside ``'parabola'``.
    """
    batch, figures = 4 * settings.train_batch, []
    # The kernel that fits this sigma; MMPose's default fits sigma 2.
    full = dict(input_size=SIZE, heatmap_size=SIZE, sigma=8,
                blur_kernel_size=51)
    heatmaps = _heatmaps(dict(full, type='SRHeatmap', unbiased=True), batch)
    heatmaps = heatmaps.to(settings.device)
    for refine in REFINEMENTS:
        stock = dict(full, type='MSRAHeatmap',
                     unbiased=refine in ('dark', 'parabola'))
        ours = dict(full, type='SRHeatmap', refine=refine)
        tasks = {name: _decode(codec, heatmaps)
                 for name, codec in {MMPOSE: stock, OURS: ours}.items()}
        figures += time_tasks(f'decoding of full maps, {refine}', tasks,
                              settings, batch=batch)
    return figures


def _decode(codec: dict, heatmaps: Tensor):
    head = MODELS.build(
        dict(type='HeatmapHead', in_channels=1, out_channels=KEYPOINTS,
             deconv_out_channels=None, decoder=codec))
    return lambda: head.decode(heatmaps)


def _heatmaps(codec: dict, batch: int) -> Tensor:
    """Return noisy heatmaps (B, K, H, W) of random keypoints."""
    rng = np.random.default_rng(0)
    codec = KEYPOINT_CODECS.build(codec)
    maps = [codec.encode(rng.uniform(0, SIZE, (1, KEYPOINTS, 2)))['heatmaps']
            for _ in range(batch)]
    maps = torch.from_numpy(np.stack(maps)).float()
    generator = torch.Generator().manual_seed(0)
    return maps + 0.02 * torch.randn(maps.shape, generator=generator)


def measure_bottom_up(settings: Settings, instances: int = 8) -> List[dict]:
    """Time the bottom-up prediction of one 512x512 image.

    The head's weights are made so that it upsamples features which contain
    the heatmaps and tags of random instances.
    """
    head = bottom_up_head(settings.device)
    stock = KEYPOINT_CODECS.build(
        dict(BOTTOM_UP_CODEC, type='AssociativeEmbedding'))
    figures, where = [], dict(batch=1)
    for label, noise in dict(clean=0, noisy=0.05).items():
        tasks = bottom_up_tasks(head, instances, noise)
        figures += time_tasks('bottom-up head and decoding, '
                              f'{instances} {label} instances', tasks,
                              settings, **where)
        feats = bottom_up_features(instances, noise, settings.device)
        with torch.no_grad():
            maps = head(feats)
        tasks = {
            MMPOSE: lambda maps=maps: stock.batch_decode(*maps),
            OURS: lambda maps=maps: head.decoder.batch_decode(*maps)
        }
        figures += time_tasks(f'bottom-up decoding, {instances} {label} '
                              'instances', tasks, settings, **where)
    return figures


def bottom_up_tasks(head: nn.Module, instances: int, noise: float) -> Tasks:
    """Return the predictions of a head from features, both of its forms."""
    device = next(head.parameters()).device
    feats = bottom_up_features(instances, noise, device)
    return {
        name: torch.no_grad()(
            partial(head.predict, feats, SAMPLES, dict(peaks_only=peaks)))
        for name, peaks in {'full maps': False, 'peaks only': True}.items()
    }


def bottom_up_head(device: torch.device) -> nn.Module:
    """Return the head of the bottom-up measures."""
    return upsampling_head(BOTTOM_UP_CODEC).to(device)


def bottom_up_features(instances: int, noise: float,
                       device: torch.device) -> Tuple[Tensor]:
    """Return the features of random instances."""
    keypoints = random_keypoints(instances)
    return (features_of(keypoints, noise).to(device), )


def upsampling_head(codec: dict) -> nn.Module:
    """Return a bottom-up head that upsamples its features by 4.

    The first K channels of the features are heatmaps, the others tags.
    """
    head = MODELS.build(
        dict(type='SRAssociativeEmbeddingHead', in_channels=2 * KEYPOINTS,
             num_keypoints=KEYPOINTS, deconv_out_channels=None,
             embed_channels=1,
             decoder=dict(codec, type='SRAssociativeEmbedding')))
    for parameter in head.parameters():
        nn.init.zeros_(parameter)
    ids = torch.arange(KEYPOINTS)
    block = head.sr_block
    with torch.no_grad():
        block.keypoint_encoder[0].weight[ids, ids] = 1
        head.tag_layer.weight[ids, KEYPOINTS + ids] = 1
        # Linear interpolation at the centers of the finer cells.
        r, size = block.upscale_factor, block.predictor.kernel_size[0]
        offsets = (torch.arange(r) + 0.5) / r - 0.5
        taps = torch.arange(size) - size // 2
        weights = (1 - (offsets[:, None] - taps).abs()).clamp(min=0)
        kernels = torch.einsum('iy,jx->ijyx', weights, weights)
        block.predictor.weight.copy_(
            kernels.flatten(0, 1)[:, None].repeat(KEYPOINTS, 1, 1, 1))
    return head.eval()


def random_keypoints(instances: int) -> np.ndarray:
    """Return keypoints (N, K, 2) of random instances in px of the input."""
    rng = np.random.default_rng(0)
    centers = rng.uniform(REACH, BOTTOM_UP[0] - REACH, (instances, 1, 2))
    return centers + rng.uniform(-REACH, REACH, (instances, KEYPOINTS, 2))


def features_of(keypoints: np.ndarray, noise: float) -> Tensor:
    """Return heatmaps and tags (1, 2 * K, 128, 128) of keypoints."""
    # The center of feature cell i is at 4 * i + 1.5.
    x, y = (keypoints.transpose(2, 1, 0)[..., None, None] - 1.5) / 4
    columns, rows = np.meshgrid(*(np.arange(s // 4) for s in BOTTOM_UP))
    squares = (columns - x)**2 + (rows - y)**2  # (K, N, h, w)
    heatmaps = np.exp(-squares / 8).max(axis=1)
    # A cell has the tag of the instance whose keypoint is nearest.
    tags = 3 * squares.argmin(axis=1)
    features = np.concatenate([heatmaps, tags])
    rng = np.random.default_rng(0)
    features += noise * rng.standard_normal(features.shape)
    return torch.from_numpy(features)[None].float()
