"""From heatmaps to keypoints, with MMPose's codecs and with this package's."""
from typing import Dict, List, Tuple

import numpy as np
import torch
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor

from .memory import HostCopies
from .timing import Figure, summarize, time_interleaved

# Input and heatmap of the measured systems: full size, (width, height).
SIZE = (192, 256)
STOCK, OURS = 'stock full', 'SRPose fast'
# Neighbouring joints of a person lie within this distance in px.
REACH = 60


def decode(batch: int, rounds: int, device: torch.device) -> List[Figure]:
    """Time to decode full-size maps, and bytes that leave the device."""
    # The blur that goes with this sigma; MMPose's default is for sigma 2.
    codec = dict(
        input_size=SIZE, heatmap_size=SIZE, sigma=8, blur_kernel_size=51)
    heatmaps = _heatmaps(codec, batch).to(device)
    figures = []
    for refine in ('shift', 'dark'):
        heads = {
            STOCK:
            dict(type='MSRAHeatmap', unbiased=refine == 'dark', **codec),
            OURS: dict(type='SRHeatmap', refine=refine, **codec)
        }
        figures += _time_heads(f'decode {refine}, batch {batch}', heads,
                               heatmaps, rounds)
    for refine in ('none', 'parabola'):
        heads = {OURS: dict(type='SRHeatmap', refine=refine, **codec)}
        figures += _time_heads(f'decode {refine}, batch {batch}', heads,
                               heatmaps, rounds)
    return figures


def decode_bottom_up(people: int, rounds: int,
                     device: torch.device) -> List[Figure]:
    """Time to group the people of one 512x512 image."""
    size = dict(input_size=(512, 512), heatmap_size=(512, 512), sigma=8)
    settings = dict(
        decode_nms_kernel=11,
        decode_keypoint_order=list(range(17)),
        decode_max_instances=30)
    codecs = {
        name: KEYPOINT_CODECS.build(dict(type=kind, **size, **settings))
        for name, kind in {
            STOCK: 'AssociativeEmbedding',
            OURS: 'SRAssociativeEmbedding'
        }.items()
    }
    figures = []
    for label, noise in dict(clean=0, noisy=0.05).items():
        maps = _people(codecs[STOCK], people, noise, device)
        tasks = {
            name: lambda codec=codec, maps=maps: codec.batch_decode(*maps)
            for name, codec in codecs.items()
        }
        figures += time_interleaved(
            f'bottom-up decode {label}, {people} people', tasks, rounds,
            device)
    return figures


def _time_heads(measure: str, codecs: Dict[str, dict], heatmaps: Tensor,
                rounds: int) -> List[Figure]:
    """Time ``head.decode``, the road that every test takes."""
    tasks, copies = {}, []
    for name, codec in codecs.items():
        head = MODELS.build(
            dict(
                type='HeatmapHead',
                in_channels=1,
                out_channels=17,
                deconv_out_channels=None,
                decoder=codec))
        tasks[name] = lambda head=head: head.decode(heatmaps)
        if heatmaps.device.type != 'cpu':
            with HostCopies() as counter:
                tasks[name]()
            copies.append(
                summarize(f'{measure}, device to host', name, 'kB',
                          [counter.nbytes / 1e3]))
    return time_interleaved(measure, tasks, rounds, heatmaps.device) + copies


def _heatmaps(codec: dict, batch: int) -> Tensor:
    """Noisy maps of random keypoints (B, K, H, W)."""
    rng = np.random.default_rng(0)
    codec = KEYPOINT_CODECS.build(
        dict(type='SRHeatmap', unbiased=True, **codec))
    maps = [
        codec.encode(rng.uniform(0, SIZE, (1, 17, 2)))['heatmaps']
        for _ in range(batch)
    ]
    maps = torch.from_numpy(np.stack(maps)).float()
    generator = torch.Generator().manual_seed(0)
    return maps + 0.02 * torch.randn(maps.shape, generator=generator)


def _people(codec, people: int, noise: float,
            device: torch.device) -> Tuple[Tensor, Tensor]:
    """Heatmaps and tags (1, K, H, W) of random people."""
    rng = np.random.default_rng(0)
    centres = rng.uniform(REACH, 512 - REACH, (people, 1, 2))
    keypoints = centres + rng.uniform(-REACH, REACH, (people, 17, 2))
    heatmaps = codec.encode(keypoints, np.ones(
        (people, 17), np.float32))['heatmaps']
    # A cell has the tag of the person whose joint is nearest.
    y, x = np.mgrid[:512, :512]
    tags = np.empty_like(heatmaps)
    for joint in range(17):
        joints = keypoints[:, joint]
        distance = np.hypot(x - joints[:, 0, None, None],
                            y - joints[:, 1, None, None])
        tags[joint] = 3 * distance.argmin(axis=0)
    maps = [
        heatmaps + noise * rng.standard_normal(heatmaps.shape),
        tags + noise * rng.standard_normal(tags.shape)
    ]
    return tuple(torch.from_numpy(m[None]).float().to(device) for m in maps)
