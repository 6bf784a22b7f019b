"""The cost of training: a step, its loss, its targets."""
import copy
import tempfile
import time
from typing import List

import torch
from mmengine.runner import Runner
from mmpose.structures import PoseDataSample
from torch import Tensor, nn

from srpose_mm.apis import make_toy_dataset
from srpose_mm.codecs.utils.gaussians import SeparableHeatmaps
from srpose_mm.models.utils import gather_targets

from .measure import (
    Settings,
    figure,
    memory_of_tasks,
    peak_memory,
    time_tasks,
)
from .systems import (
    DENSE,
    KEYPOINTS,
    PUBLISHED,
    RTMCC,
    SIMCC,
    STOCK,
    STOCK_FAST,
    System,
    load_systems,
)

# Training does not depend on the prediction: DENSE and PEAKS are the same.
TRAINED = {STOCK: STOCK, STOCK_FAST: 'heatmaps 1/4, channels last',
           SIMCC: SIMCC, RTMCC: RTMCC, PUBLISHED: PUBLISHED, DENSE: 'SRPose'}


def measure_training_step(settings: Settings) -> List[dict]:
    """Measure forward, backward and Adam, and the peak memory with weights."""
    measure, figures = 'training step', []
    where = dict(batch=settings.train_batch)
    for backbone in settings.backbones:
        systems, tasks, held = load_systems(backbone), {}, {}
        for name, label in TRAINED.items():
            system = systems[name]
            model = system.build(settings.device).train()
            tasks[label] = _step(
                model, system.images(settings.train_batch, settings.device),
                system.samples(settings.train_batch, settings.device))
            # Adam keeps two numbers for each weight.
            held[label] = 3 * sum(p.nbytes for p in model.parameters())
        figures += time_tasks(measure, tasks, settings, backbone=backbone,
                              **where)
        figures += [
            figure(f'{measure}, peak memory', name, 'MB',
                   [(peak_memory(task, settings.device) + held[name]) / 1e6],
                   backbone=backbone, **where)
            for name, task in tasks.items()
        ]
    return figures


def _step(model: nn.Module, images: Tensor, samples: list):
    optimizer = torch.optim.Adam(model.parameters())

    def task():
        losses = model.loss(images, samples)
        model.parse_losses(losses)[0].backward()
        optimizer.step()
        # Without gradients at the start, the peak includes them.
        optimizer.zero_grad(set_to_none=True)

    return task


def measure_loss(settings: Settings) -> List[dict]:
    """Measure the loss of full-size heatmaps, forward and backward.

    The task begins with the samples of the loader, which a GPU copies.
    """
    batch = 2 * settings.train_batch
    systems = load_systems(settings.backbones[0])
    tasks = {}
    for name in (PUBLISHED, DENSE):
        system = systems[name]
        width, height = system.codec['input_size']
        heatmaps = torch.rand(batch, KEYPOINTS, height, width,
                              device=settings.device, requires_grad=True)
        tasks[TRAINED[name]] = _loss(
            system.build(settings.device).head, heatmaps,
            system.samples(batch, settings.device))
    return [
        *time_tasks('loss of one map', tasks, settings, batch=batch),
        *memory_of_tasks('loss of one map', tasks, settings, batch=batch)
    ]


def _loss(head: nn.Module, heatmaps: Tensor, samples: list):

    def task():
        heatmaps.grad = None
        targets, weights = gather_targets(head, copy.deepcopy(samples),
                                          KEYPOINTS)
        if not (isinstance(targets, SeparableHeatmaps)
                and getattr(head.loss_module, 'accepts_separable', False)):
            targets = targets.dense()
        head.loss_module(heatmaps, targets, weights).backward()

    return task


def measure_loader(settings: Settings, num_images: int = 96) -> List[dict]:
    """Measure samples a second of the loader, and bytes of the targets."""
    names, figures = (STOCK, SIMCC, PUBLISHED, DENSE), []
    systems = load_systems(settings.backbones[0])
    with tempfile.TemporaryDirectory() as folder:
        root = settings.data_root or make_toy_dataset(
            folder, num_train=num_images, num_val=1, image_size=(640, 480))
        for workers in (0, 2):
            loaders = {name: _loader(systems[name], workers, str(root))
                       for name in names}
            rates = {name: [] for name in names}
            # The first round starts the workers and is not counted.
            for turn in range(settings.rounds + 1):
                for name, loader in loaders.items():
                    start = time.perf_counter()
                    count = sum(len(batch['inputs']) for batch in loader)
                    rate = count / (time.perf_counter() - start)
                    rates[name] += [rate] if turn else []
            figures += [
                figure(f'data loader, {workers} workers', TRAINED[name],
                       'images/s', values) for name, values in rates.items()
            ]
    figures += [
        figure('targets of a sample', TRAINED[name], 'bytes',
               [target_bytes(systems[name].samples(1, 'cpu')[0])])
        for name in names
    ]
    return figures


def _loader(system: System, workers: int, root: str):
    cfg = copy.deepcopy(system.cfg.train_dataloader)
    cfg.update(batch_size=16, num_workers=workers,
               persistent_workers=workers > 0, drop_last=False)
    cfg.dataset.data_root = root
    return Runner.build_dataloader(cfg, seed=0)


def target_bytes(sample: PoseDataSample) -> int:
    """Return the bytes of the tensors that a loader hands to the loss."""
    parts = [sample.gt_instance_labels]
    if 'gt_fields' in sample:
        parts.append(sample.gt_fields)
    return sum(value.numel() * value.element_size() for part in parts
               for value in part.values() if isinstance(value, Tensor))
