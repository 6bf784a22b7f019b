"""Configs, studies and published results of the experiments."""
import shutil

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmpose.registry import MODELS

from lab.study import plan_runs, read_results, read_study, report_study
from lab.study.report import result_key
from srpose_mm.apis import measure_complexity

from ..conftest import ROOT

EXPERIMENTS = ROOT / 'lab/experiments'
STUDIES = sorted(EXPERIMENTS.glob('*/study.py'))
PUBLISHED = [path for path in STUDIES
             if path.with_name('results.json').is_file()]
# Without the stock models of mpii and round_trip, and the larger plus config.
PATHS = sorted(path for path in EXPERIMENTS.glob('*/*-*.py')
               if path.parent.name not in ('mpii', 'round_trip')
               and 'plus_hrnet' not in path.name)


def number_of_keypoints(cfg):
    return cfg.model.head.get('num_keypoints') or cfg.model.head.out_channels


def plain(codec):
    return {key: value for key, value in codec.items() if key != '_scope_'}


def sample(cfg):
    """Return random instances in a random image, packed by the pipeline."""
    rng = np.random.default_rng(0)
    codec = cfg.model.head.decoder
    width, height = codec.input_size
    instances = 2 if cfg.model.type == 'BottomupPoseEstimator' else 1
    shape = instances, number_of_keypoints(cfg)
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
def test_a_study_has_the_batch_of_its_recipes(path, monkeypatch):
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
            # PCK, NME and EPE have no prefix.
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


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda path: path.parent.name)
def test_published_tables_are_those_of_the_results(path, tmp_path,
                                                   monkeypatch):
    monkeypatch.setattr('lab.study.report.draw_results',
                        lambda study, frame: Figure())
    shutil.copy(path.with_name('results.json'), tmp_path)
    report_study(path, tmp_path / 'results.json')
    for name in ('results.md', 'results.csv'):
        assert (tmp_path / name).read_bytes() == path.with_name(
            name).read_bytes()


@pytest.mark.parametrize('path', PUBLISHED, ids=lambda path: path.parent.name)
def test_published_results_are_those_of_the_configs(path):
    """Other configs have another size."""
    study = read_study(path)
    records = read_results(path.with_name('results.json'))
    tests = {(row.name, seed, test) for row in study.rows
             for seed in row.seeds for test in row.tests}
    assert records and {result_key(record) for record in records} <= tests
    row = next(row for row in study.rows if 'SRPose' in row.name)
    size = measure_complexity(Config.fromfile(row.config))
    for record in records:
        if record['row'] == row.name:
            assert record['gflops'] == pytest.approx(size.gflops)
            assert record['other_params'] == size.other_params
