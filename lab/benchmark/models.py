"""What the networks cost: forward passes, a training step, memory."""
import copy
from typing import Dict, List, Optional

import torch
from torch import Tensor, nn

from srpose_mm.deploy.fuse import fuse_for_inference
from srpose_mm.models.utils import gather_targets

from .memory import peak_memory
from .systems import System, Systems
from .timing import Figure, Task, summarize, time_interleaved


def head_forward(systems: Systems, batch: int, rounds: int,
                 device: torch.device) -> List[Figure]:
    """Time of neck and head from the backbone's features, and memory."""
    tasks = {}
    for name, system in systems.items():
        model = _deployed(system, device)
        with torch.no_grad():
            feats = model.backbone(system.images(batch, device))
        tasks[name] = _no_grad(_after_backbone, model, feats)
    measure = f'head forward, batch {batch}'
    figures = time_interleaved(measure, tasks, rounds, device)
    return figures + _memory(measure, tasks, device)


def model_forward(systems: Systems, batch: int, rounds: int,
                  device: torch.device) -> List[Figure]:
    """Time from images to heatmaps.

    Memory at its peak is the backbone's, the same for all.
    """
    tasks = {}
    for name, system in systems.items():
        model = _deployed(system, device)
        images = system.images(batch, device)
        tasks[name] = _no_grad(model.forward, images, None)
    return time_interleaved(f'model forward, batch {batch}', tasks, rounds,
                            device)


def train_step(systems: Systems, batch: int, rounds: int,
               device: torch.device) -> List[Figure]:
    """Time of forward, backward and Adam, and memory at the peak.

    Weights and what Adam keeps of them are part of the memory.
    """
    tasks, held = {}, {}
    for name, system in systems.items():
        model = system.build(device).train()
        tasks[name] = _train_step(model, system.images(batch, device),
                                  system.samples(batch, device))
        # Adam keeps two numbers for each weight.
        held[name] = 3 * sum(p.nbytes for p in model.parameters())
    measure = f'training step, batch {batch}'
    figures = time_interleaved(measure, tasks, rounds, device)
    return figures + _memory(measure, tasks, device, held)


def loss(systems: Systems, batch: int, rounds: int,
         device: torch.device) -> List[Figure]:
    """Measure the loss of full-size heatmaps, forward and backward.

    It begins with the samples that come from the loader, which are copied as
    they are to a GPU.
    """
    tasks = {}
    for name in ('SRPose plain', 'SRPose fast'):
        system = systems[name]
        head = system.build(device).head
        width, height = system.input_size
        heatmaps = torch.rand(
            batch, 17, height, width, device=device, requires_grad=True)
        tasks[name] = _loss(head, heatmaps, system.samples(batch, device))
    measure = f'loss of one map, batch {batch}'
    figures = time_interleaved(measure, tasks, rounds, device)
    return figures + _memory(measure, tasks, device)


def _deployed(system: System, device: torch.device) -> nn.Module:
    model = system.build(device).eval()
    return fuse_for_inference(model) if system.fast else model


def _no_grad(function: Task, *args: object) -> Task:

    @torch.no_grad()
    def task():
        return function(*args)

    return task


def _after_backbone(model: nn.Module, feats: Tensor) -> Tensor:
    return model.head(model.neck(feats) if model.with_neck else feats)


def _train_step(model: nn.Module, images: Tensor, samples: list) -> Task:
    optimizer = torch.optim.Adam(model.parameters())

    def task():
        losses = model.loss(images, samples)
        model.parse_losses(losses)[0].backward()
        optimizer.step()
        # None are there when a step begins, so that its peak counts them.
        optimizer.zero_grad(set_to_none=True)

    return task


def _loss(head: nn.Module, heatmaps: Tensor, samples: list) -> Task:
    def task():
        heatmaps.grad = None
        arrived = copy.deepcopy(samples)
        targets, weights = gather_targets(head, arrived, head.out_channels)
        head.loss_module(heatmaps, targets.for_loss(head.loss_module),
                         weights).backward()

    return task


def _memory(measure: str,
            tasks: Dict[str, Task],
            device: torch.device,
            held: Optional[Dict[str, int]] = None) -> List[Figure]:
    """Memory at the peak of each task, and ``held`` bytes beside it."""
    figures = []
    for name, task in tasks.items():
        peak = peak_memory(task, device) + (held or {}).get(name, 0)
        figures.append(
            summarize(f'{measure}, peak memory', name, 'MB', [peak / 1e6]))
    return figures
