"""Predictions of top-down models, from features and from images."""
import copy
import sys
import tempfile
import time
from contextlib import redirect_stdout
from typing import Iterator, List, Sequence, Tuple

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from srpose_mm.apis import make_toy_dataset

from .measure import (
    Settings,
    Tasks,
    TensorWatch,
    figure,
    memory_of_tasks,
    time_tasks,
)
from .systems import (
    DENSE,
    KEYPOINTS,
    PEAKS,
    STOCK,
    System,
    after_backbone,
    load_systems,
)

HEAD = 'head and decoding'
REST = 'neck, head and decoding'
TENSOR = 'largest heatmap tensor'
WHOLE = 'whole prediction with flip test'
TEST = 'test script'


def measure_prediction(settings: Settings) -> List[dict]:
    """Measure the time and memory of predictions.

    ``HEAD`` begins with the input of the head, ``REST`` with the features of
    the backbone, ``WHOLE`` with the images. All end with keypoints; ``WHOLE``
    brings them into the image. Without a neck, ``HEAD`` and ``REST`` are the
    same.
    """
    figures = []
    for backbone in settings.backbones:
        systems = load_systems(backbone)
        models = {name: system.build(settings.device, deploy=True)
                  for name, system in systems.items()}
        for batch in settings.batch_sizes:
            tasks = {HEAD: {}, REST: {}, WHOLE: {}}
            for name, model in models.items():
                added = prediction_tasks(model, systems[name], batch,
                                         settings.device)
                for measure, task in added.items():
                    tasks[measure][name] = task
            where = dict(backbone=backbone, batch=batch)
            for measure, by_name in tasks.items():
                figures += time_tasks(measure, by_name, settings, **where)
                figures += memory_of_tasks(measure, by_name, settings, **where)
            size = systems[STOCK].codec['input_size']
            figures += heatmap_figures(TENSOR, tasks[HEAD], size, where)
            if settings.device.type != 'cpu':
                figures += _copies(tasks[HEAD], size, where)
    return figures


@torch.no_grad()
def prediction_tasks(model: nn.Module, system: System, batch: int,
                     device: torch.device) -> Tasks:
    """Return the tasks ``HEAD``, ``REST`` and ``WHOLE`` of a model."""
    images = system.images(batch, device)
    samples = system.samples(batch, device)
    feats = model.backbone(images)
    inputs = after_backbone(model, feats)
    test_cfg = dict(model.test_cfg, flip_test=False)

    def head():
        return model.head.predict(inputs, samples, test_cfg)

    def rest():
        return model.head.predict(
            after_backbone(model, feats), samples, test_cfg)

    def whole():
        return model.predict(images, samples)

    return {
        measure: torch.no_grad()(task)
        for measure, task in {HEAD: head, REST: rest, WHOLE: whole}.items()
    }


def heatmap_figures(measure: str, tasks: Tasks, input_size: Sequence[int],
                    where: dict) -> List[dict]:
    """Measure the largest heatmap tensor (B, K, H, W) of each task."""
    return [
        figure(measure, name, 'MB', [watch.largest / 1e6], **where)
        for name, watch in _watched(tasks, input_size)
    ]


def _copies(tasks: Tasks, input_size: Sequence[int],
            where: dict) -> List[dict]:
    """Measure what each task copies to the host."""
    return [
        figure('copied to the host', name, 'kB', [watch.copied / 1e3], **where)
        for name, watch in _watched(tasks, input_size)
    ]


def _watched(tasks: Tasks, input_size: Sequence[int]
             ) -> Iterator[Tuple[str, TensorWatch]]:
    """Run each task once, and return what was watched."""
    for name, task in tasks.items():
        with TensorWatch(KEYPOINTS, input_size) as watch:
            task()
        yield name, watch


def measure_test_script(settings: Settings) -> List[dict]:
    """Measure the images that ``mim test`` predicts in a second.

    An image is one cropped instance. The time begins with the first batch and
    ends with the metrics; two workers load the images.
    """
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        root = settings.data_root or make_toy_dataset(
            folder, num_train=1, num_val=24, image_size=(640, 480))
        for backbone in settings.backbones:
            systems = load_systems(backbone)
            rates = {name: [] for name in (STOCK, DENSE, PEAKS)}
            runners = {name: _runner(systems[name].cfg, str(root), folder)
                       for name in rates}
            # The first round starts the workers and is not counted.
            for turn in range(settings.rounds + 1):
                for name, runner in runners.items():
                    rate = _rate(runner)
                    rates[name] += [rate] if turn else []
            figures += [
                figure(TEST, name, 'images/s', values, backbone=backbone)
                for name, values in rates.items()
            ]
    return figures


def _runner(cfg: Config, root: str, work_dir: str) -> Runner:
    cfg = copy.deepcopy(cfg)
    ann_file = 'annotations/person_keypoints_val2017.json'
    cfg.merge_from_dict({
        'work_dir': work_dir,
        'log_level': 'ERROR',
        'experiment_name': f'{id(cfg)}',
        'test_dataloader.dataset.data_root': root,
        'test_dataloader.dataset.bbox_file': None,
        'test_dataloader.dataset.ann_file': ann_file,
        'test_evaluator.ann_file': f'{root}/{ann_file}'
    })
    return Runner.from_cfg(cfg)


def _rate(runner: Runner) -> float:
    start = time.perf_counter()
    # The evaluators print, and the results go to standard output.
    with redirect_stdout(sys.stderr):
        runner.test()
    seconds = time.perf_counter() - start
    return len(runner.test_dataloader.dataset) / seconds
