"""Predictions of top-down models, from features and from images."""
import copy
import sys
import tempfile
import time
from contextlib import redirect_stdout
from typing import List, Sequence

import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

from srpose_mm.apis import make_toy_dataset

from .measure import (
    Settings,
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
    after_backbone,
    load_systems,
)

HEAD = 'head and decoding'
REST = 'neck, head and decoding'
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
                images = systems[name].images(batch, settings.device)
                samples = systems[name].samples(batch, settings.device)
                added = _tasks(model, images, samples)
                for measure, task in added.items():
                    tasks[measure][name] = task
            where = dict(backbone=backbone, batch=batch)
            for measure, by_name in tasks.items():
                figures += time_tasks(measure, by_name, settings, **where)
                figures += memory_of_tasks(measure, by_name, settings, **where)
            size = systems[STOCK].codec['input_size']
            figures += _watch(tasks[HEAD], size, settings.device, where)
    return figures


@torch.no_grad()
def _tasks(model: nn.Module, images, samples: list) -> dict:
    """Return the tasks of a model by measure."""
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


def _watch(tasks: dict, input_size: Sequence[int], device: torch.device,
           where: dict) -> List[dict]:
    """Measure the largest heatmap tensor, and copies to the host."""
    figures = []
    for name, task in tasks.items():
        with TensorWatch(KEYPOINTS, input_size) as watch:
            task()
        figures.append(
            figure('largest heatmap tensor', name, 'MB',
                   [watch.largest / 1e6], **where))
        if device.type != 'cpu':
            figures.append(
                figure('copied to the host', name, 'kB',
                       [watch.copied / 1e3], **where))
    return figures


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
