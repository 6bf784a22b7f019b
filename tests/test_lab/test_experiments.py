"""Configs and studies of the experiments, without their data."""
import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmpose.registry import MODELS

from lab.study import read_study
from lab.study.ledger import Ledger
from lab.study.plan import plan_runs
from srpose_mm.apis import complexity

from ..conftest import ROOT

EXPERIMENTS = ROOT / 'lab/experiments'
STUDIES = sorted(EXPERIMENTS.glob('*/study.py'))
PATHS = sorted(path for path in EXPERIMENTS.glob('*/*.py')
               if path.name != 'study.py')


def number_of_keypoints(cfg):
    return cfg.model.head.get('num_keypoints') or cfg.model.head.out_channels


def plain(codec):
    return {key: value for key, value in codec.items() if key != '_scope_'}


def sample(cfg):
    """Random people in a random image, as the config's pipeline packs them."""
    rng = np.random.default_rng(0)
    codec = cfg.model.head.decoder
    width, height = codec.input_size
    people = 2 if cfg.model.type == 'BottomupPoseEstimator' else 1
    shape = people, number_of_keypoints(cfg)
    keypoints = rng.uniform(
        0.2, 0.8, (*shape, 2)) * np.array([width, height])
    steps = [step for step in cfg.train_dataloader.dataset.pipeline
             if step.type in ('GenerateTarget', 'PackPoseInputs')]
    assert [step.type for step in steps] == ['GenerateTarget',
                                             'PackPoseInputs']
    encoder = steps[0].encoder
    assert plain(encoder) == plain(codec)
    mask_size = codec.get('heatmap_size') or codec.input_size
    return Compose(steps)(
        dict(
            img=rng.integers(0, 255, (height, width, 3), dtype=np.uint8),
            img_shape=(height, width),
            keypoints=keypoints.astype(np.float32),
            transformed_keypoints=keypoints.astype(np.float32),
            keypoints_visible=np.ones(shape, dtype=np.float32),
            heatmap_mask=np.ones(mask_size[::-1], dtype=np.uint8)))


@pytest.mark.parametrize(
    'path', PATHS, ids=lambda path: f'{path.parent.name}/{path.stem}')
def test_learns_a_step(path):
    """The codec, the model and its loss fit each other."""
    cfg = Config.fromfile(path)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    model.init_weights()
    model.train()
    batch = pseudo_collate([sample(cfg), sample(cfg)])
    data = model.data_preprocessor(batch, training=True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    assert torch.isfinite(loss) and loss > 0
    loss.backward()
    gradients = [p.grad for p in model.head.parameters()
                 if p.grad is not None]
    assert gradients
    assert all(torch.isfinite(gradient).all() for gradient in gradients)


@pytest.mark.parametrize(
    'path', STUDIES, ids=lambda path: path.parent.name)
def test_a_study_has_its_recipes_batch(path, monkeypatch):
    """Where a study names no GPUs, its configs are for one."""
    monkeypatch.chdir(ROOT)
    study = read_study(path)
    runs = plan_runs(study, ROOT / 'work_dirs', gpus=study.gpus or 1)
    assert len(runs) == sum(len(row.seeds) for row in study.rows)
    for run in runs:
        assert (run.launch.gpus, run.launch.options) == (study.gpus or 1, {})
        batch = run.launch.gpus * run.cfg.train_dataloader.batch_size
        assert run.cfg.auto_scale_lr.base_batch_size == batch, run
        for key in study.metrics.values():
            # The prefix is the evaluator's; PCK, NME and EPE have none.
            prefix = key.rpartition('/')[0]
            for test in run.tests:
                metrics = test.cfg.test_evaluator
                metrics = metrics if isinstance(metrics, list) else [metrics]
                prefixes = {
                    metric.get('prefix') or
                    ('coco' if metric.type == 'CocoMetric' else '')
                    for metric in metrics
                }
                assert prefix in prefixes, (run, key)
    if study.gpus:
        alone = plan_runs(study, ROOT / 'work_dirs')
        assert {run.launch.accumulate for run in alone} == {study.gpus}
        assert study.data


@pytest.mark.parametrize(
    'path', [path for path in STUDIES
             if (path.parent / 'results.json').is_file()],
    ids=lambda path: path.parent.name)
def test_published_results_are_those_of_the_configs(path, monkeypatch):
    """A config that changed since would give others."""
    monkeypatch.chdir(ROOT)
    study = read_study(path)
    records = json.loads((path.parent / 'results.json').read_text())['records']
    current = {
        (run.row.name, run.seed, test.label): run.digests(test)
        for run in plan_runs(study, ROOT / 'work_dirs', gpus=study.gpus or 1)
        for test in run.tests
    }
    assert records
    for record in records:
        assert record['digests'] == current[Ledger.key(record)]
    row = next(row for row in study.rows if 'SRPose' in row.name)
    gflops = complexity(Config.fromfile(row.config)).gflops
    published = {record['gflops'] for record in records
                 if record['row'] == row.name}
    assert list(published) == [pytest.approx(gflops)]
