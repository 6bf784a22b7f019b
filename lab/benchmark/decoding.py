"""From heatmaps to keypoints, with MMPose's codecs and with this package's."""
from typing import Dict, List, Tuple

import numpy as np
import torch
from mmpose.registry import KEYPOINT_CODECS, MODELS
from torch import Tensor

from .memory import HostCopies
from .systems import BASELINE, System, Systems
from .timing import Figure, Task, summarize, time_interleaved

# Input and heatmaps of the measured systems, (width, height).
SIZE, QUARTER = (192, 256), (48, 64)
REFINEMENTS = ('none', 'shift', 'dark', 'parabola')
STOCK, OURS = 'stock full', 'SRPose fast'
# Neighbouring joints of a person lie within this distance in px.
REACH = 60


def decode(systems: Systems, batch: int, rounds: int,
           device: torch.device) -> List[Figure]:
    """Time to decode a batch, and bytes that leave the device.

    MMPose's codecs always refine: beside ``'none'`` stands their quarter-cell
    shift, beside ``'parabola'`` their Newton step.
    """
    # The blur that goes with this sigma; MMPose's default is for sigma 2.
    full = dict(
        input_size=SIZE, heatmap_size=SIZE, sigma=8, blur_kernel_size=51)
    quarter = dict(input_size=SIZE, heatmap_size=QUARTER, sigma=2)
    maps = {
        size: _heatmaps(codec, batch).to(device)
        for size, codec in dict(full=full, quarter=quarter).items()
    }
    figures = []
    for refine in REFINEMENTS:
        stock = dict(
            type='MSRAHeatmap', unbiased=refine in ('dark', 'parabola'))
        ours = dict(type='SRHeatmap', refine=refine, **full)
        tasks = {
            STOCK: _decode(dict(stock, **full), maps['full']),
            BASELINE: _decode(dict(stock, **quarter), maps['quarter']),
            'SRPose plain': _decode_by_sample(ours, maps['full']),
            OURS: _decode(ours, maps['full'])
        }
        if refine == 'none':
            tasks['SimCC'] = _decode_simcc(systems['SimCC'], batch, device)
        measure = f'decode {refine}, batch {batch}'
        figures += time_interleaved(measure, tasks, rounds, device)
        if device.type != 'cpu':
            figures += _host_copies(measure, tasks)
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


def _decode(codec: dict, heatmaps: Tensor) -> Task:
    """``head.decode``, the road that every test takes."""
    head = MODELS.build(
        dict(
            type='HeatmapHead',
            in_channels=1,
            out_channels=17,
            deconv_out_channels=None,
            decoder=codec))
    return lambda: head.decode(heatmaps)


def _decode_by_sample(codec: dict, heatmaps: Tensor) -> Task:
    """As heads use codecs that decode no batches."""
    codec = KEYPOINT_CODECS.build(codec)
    return lambda: [codec.decode(maps) for maps in heatmaps.cpu().numpy()]


def _decode_simcc(system: System, batch: int, device: torch.device) -> Task:
    """Measure SimCC's head, whose outputs are rows and columns."""
    cfg = system.cfg.model.head
    head = MODELS.build(cfg)
    ratio = cfg.simcc_split_ratio
    outputs = tuple(
        torch.rand(batch, 17, int(length * ratio), device=device)
        for length in SIZE)
    return lambda: head.decode(outputs)


def _host_copies(measure: str, tasks: Dict[str, Task]) -> List[Figure]:
    """Bytes that each decoding sends from the device to the host."""
    figures = []
    for name, task in tasks.items():
        with HostCopies() as counter:
            task()
        figures.append(
            summarize(f'{measure}, device to host', name, 'kB',
                      [counter.nbytes / 1e3]))
    return figures


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
