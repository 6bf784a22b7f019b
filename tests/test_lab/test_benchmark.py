"""Measures of the benchmark with a tiny model, its table and picture."""
import json
import time

import numpy as np
import pytest
import torch

from lab.benchmark import (
    Settings,
    draw_figures,
    format_figures,
    run_benchmark,
)
from lab.benchmark import decoding as bottom_up
from lab.benchmark.__main__ import main
from lab.benchmark.aims import AIMS, BOTTOM_UP, LARGEST
from lab.benchmark.measure import TensorWatch, figure, peak_memory, time_tasks
from lab.benchmark.prediction import HEAD, REST, TEST, WHOLE
from lab.benchmark.report import figures_frame
from lab.benchmark.systems import (
    BACKBONES,
    DENSE,
    PEAKS,
    PUBLISHED,
    RTMCC,
    SIMCC,
    STOCK,
    load_systems,
)
from lab.benchmark.training import TRAINED, target_bytes
from srpose_mm.configs import load_config

CPU = torch.device('cpu')


@pytest.fixture(scope='module', autouse=True)
def tiny():
    """A backbone with an input of 96x64, which needs little time."""
    cfg = load_config('td-hm_mobilenetv2_8xb64-210e_coco-256x192')
    size = dict(input_size=(64, 96), heatmap_size=(16, 24))
    affine = dict(type='TopdownAffine', input_size=(64, 96))
    cfg.codec.update(size)
    cfg.model.head.update(decoder=dict(cfg.codec),
                          deconv_out_channels=(16, 16, 16))
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        for step in loader.dataset.pipeline:
            if step.type == 'TopdownAffine':
                step.update(affine)
            if step.type == 'GenerateTarget':
                step.encoder.update(size)
    BACKBONES['tiny'] = (cfg, (2, 3), True)
    yield
    del BACKBONES['tiny']


@pytest.fixture
def settings(toy_coco):
    return Settings(rounds=1, seconds=0, batch_sizes=(2, ), train_batch=2,
                    backbones=('tiny', ), data_root=str(toy_coco))


def run(settings, measure):
    """Return the medians by measure and system."""
    result = run_benchmark(settings, [measure])
    assert all(f['low'] <= f['median'] <= f['high'] and f['median'] > 0
               for f in result['figures'])
    medians = {(f['measure'], f['system']): f['median']
               for f in result['figures']}
    assert len(medians) == len(result['figures'])
    return medians


def test_systems_take_turns(settings):
    calls = []
    tasks = {name: lambda name=name: calls.append(name) or time.sleep(0.002)
             for name in 'ab'}
    figures = time_tasks('call', tasks, settings._replace(rounds=2), batch=7)
    changes = [name for name, last in zip(calls, [None, *calls])
               if name != last]
    assert changes == ['a', 'b', 'a', 'b']
    assert [(f['system'], f['unit'], f['batch']) for f in figures] == [
        ('a', 'ms', 7), ('b', 'ms', 7)
    ]
    assert all(2 <= f['median'] < 50 for f in figures)


def test_median_and_quartiles():
    found = figure('m', 's', 'ms', [5, 1, 2, 4, 3])
    assert (found['low'], found['median'], found['high']) == (2, 3, 4)


def test_peak_memory_counts_what_is_held_at_once():
    def task():
        for _ in range(3):
            first = torch.ones(10, 250_000)
            first + 1

    assert peak_memory(task, CPU) == pytest.approx(20e6, rel=0.01)


def test_largest_heatmap_tensor():
    with TensorWatch(17, (192, 256)) as watch:
        torch.ones(1, 17, 64, 48)
        torch.ones(2, 17, 100, 100)
        torch.ones(4, 16, 64, 48)
    assert watch.largest == 17 * 64 * 48 * 4
    assert watch.copied == 0


def test_each_system_trains_and_predicts():
    systems = load_systems('tiny')
    for name, system in systems.items():
        samples = system.samples(2, CPU)
        images = system.images(2, CPU)
        model = system.build(CPU)
        total, _ = model.parse_losses(model.loss(images, samples))
        assert torch.isfinite(total), name
        deployed = system.build(CPU, deploy=True)
        with torch.no_grad():
            predicted = deployed.predict(images, samples)
        assert predicted[0].pred_instances.keypoints.shape == (1, 17, 2), name


def test_published_form_has_the_same_heatmaps():
    """The forms differ in time, not in the result."""
    systems = load_systems('tiny')
    images = systems[STOCK].images(2, CPU)
    with torch.no_grad():
        published, ours = (
            systems[name].build(CPU).eval()(images, None)
            for name in (PUBLISHED, DENSE))
    assert ours.shape == (2, 17, 96, 64)
    scale = float(ours.abs().max())
    torch.testing.assert_close(published / scale, ours / scale, rtol=0,
                               atol=1e-3)


@pytest.mark.parametrize('backbone', ['ResNet-50', 'HRNet-W32', 'MobileNetV2'])
def test_heads_fit_the_backbones(backbone):
    """The stated size of the features is that of the backbone."""
    for name, system in load_systems(backbone).items():
        if name in (SIMCC, RTMCC):
            model = system.build(CPU).eval()
            with torch.no_grad():
                x, y = model(system.images(1, CPU), None)
            assert (x.shape, y.shape) == ((1, 17, 384), (1, 17, 512))


def test_prediction(settings):
    medians = run(settings, 'prediction')
    systems = load_systems('tiny')
    measures = {f'{measure}{memory}' for measure in (HEAD, REST, WHOLE)
                for memory in ('', ', peak memory')}
    measures.add('largest heatmap tensor')
    assert set(medians) == {(measure, system) for measure in measures
                            for system in systems}
    largest = {name: round(1e6 * medians['largest heatmap tensor', name])
               for name in systems}
    assert largest[STOCK] == 2 * 17 * 16 * 24 * 4
    assert largest[DENSE] == largest[PUBLISHED] == 16 * largest[STOCK]
    assert largest[PEAKS] == largest[STOCK]


def test_aims(settings):
    medians = run(settings, 'aims')
    assert set(medians) == {
        (measure, system) for measure, aim in AIMS.items()
        for system in (aim.other,
                       'peaks only' if measure == BOTTOM_UP else PEAKS)
    }
    heatmaps = 64 * 17 * 24 * 16 * 4 / 1e6
    assert medians[LARGEST, PEAKS] == pytest.approx(heatmaps)
    assert medians[LARGEST, DENSE] == pytest.approx(16 * heatmaps)


def test_table_of_aims():
    names = [*AIMS][:2]
    figures = [
        *(figure(name, system, 'ms', [value], backbone='A', batch=4)
          for name in names for system, value in {DENSE: 9, PEAKS: 4}.items()),
        *(figure(LARGEST, system, 'MB', [value], backbone='A', batch=64)
          for system, value in {DENSE: 214, PEAKS: 13.4}.items())
    ]
    cells = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in format_figures(dict(RESULT, figures=figures)
                                        ).splitlines()]
    assert cells[4:7] == [
        [names[0], '4', '2.25 times faster', '3'],
        [names[1], '4', '2.25 times faster', '2.5'],
        [LARGEST, '64', '13.4 MB', '15 MB at most']
    ]


def test_test_script(settings):
    assert set(run(settings, 'test')) == {(TEST, STOCK), (TEST, DENSE),
                                          (TEST, PEAKS)}


def test_training(settings):
    step = run(settings, 'train')
    assert set(step) == {(measure, label) for label in TRAINED.values()
                         for measure in ('training step',
                                         'training step, peak memory')}
    loss = run(settings, 'loss')
    memory = 'loss of one map, peak memory'
    assert loss[memory, 'SRPose'] < loss[memory, PUBLISHED]


def test_loader(settings):
    medians = run(settings, 'loader')
    targets = {system: value for (measure, system), value in medians.items()
               if measure == 'targets of a sample'}
    weights = 17 * 4
    assert targets[STOCK] == 17 * 16 * 24 * 4 + weights
    assert targets[PUBLISHED] == 17 * 64 * 96 * 4 + weights
    assert targets['SRPose'] == 17 * 2 * 4 + weights
    assert len(medians) == 3 * len(targets) == 12
    sample = load_systems('ResNet-50')[PUBLISHED].samples(1, 'cpu')[0]
    assert target_bytes(sample) == 17 * 192 * 256 * 4 + weights


def test_decoding(settings, monkeypatch):
    monkeypatch.setattr(bottom_up, 'REFINEMENTS', ('none', 'dark'))
    assert {measure for measure, _ in run(settings, 'decode')} == {
        'decoding of full maps, none', 'decoding of full maps, dark'
    }


@pytest.mark.parametrize('peaks_only', [False, True])
def test_bottom_up_predicts_the_instances(peaks_only):
    head = bottom_up.bottom_up_head(CPU)
    keypoints = bottom_up.random_keypoints(8)
    feats = (bottom_up.features_of(keypoints, noise=0), )
    with torch.no_grad():
        predicted, = head.predict(feats, bottom_up.SAMPLES,
                                  dict(peaks_only=peaks_only))
    distances = np.linalg.norm(
        predicted.keypoints[:, None] - keypoints[None], axis=-1)
    assert predicted.keypoints.shape[0] == 8
    assert np.median(distances.min(axis=1)) < 2


FIGURES = [
    figure('step', STOCK, 'ms', [20], batch=1),
    figure('step', DENSE, 'ms', [10], batch=1),
    *(figure(measure, system, 'ms', [value], backbone='A', batch=batch)
      for measure in (HEAD, WHOLE) for batch in (1, 8, 32)
      for system, value in {STOCK: 30 * batch, PEAKS: 10}.items()),
    figure(TEST, STOCK, 'images/s', [20], backbone='A'),
    figure(TEST, PEAKS, 'images/s', [30], backbone='A'),
]
RESULT = dict(
    machine='a machine', figures=FIGURES,
    settings=dict(rounds=5, seconds=0.5, backbones=['A'],
                  batch_sizes=[1, 8, 32]))


def test_ratios_say_how_many_times_better():
    assert figures_frame(RESULT).ratio.tolist() == [
        1, 2, *2 * [1, 3, 1, 24, 1, 96], 1, 1.5
    ]
    cells = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in format_figures(RESULT).splitlines()]
    assert ['step', '', '1', DENSE, '10 ms', '10 to 10', '2.00'] in cells
    assert cells[-1] == [TEST, 'A', '', PEAKS, '30 images/s', '30 to 30',
                         '1.50']


def test_picture_shows_the_ratios_of_the_middle_batch():
    ax, = draw_figures(RESULT).axes
    widths = [round(bar.get_width(), 6) for bars in ax.containers
              for bar in bars]
    assert sorted(widths) == [1, 1, 1, 1.5, 24, 24]
    assert len(ax.get_yticklabels()) == 3


def test_main(tmp_path, capsys):
    words = ['--backbones', 'tiny', '--batch-sizes', '1', '--rounds', '1',
             '--seconds', '0', '--out-dir', str(tmp_path)]
    main(['--measures', 'prediction', *words])
    page = capsys.readouterr().out
    assert (tmp_path / 'benchmark.md').read_text() == f'# Benchmark\n\n{page}'
    result = json.loads((tmp_path / 'benchmark.json').read_text())
    assert result['settings']['rounds'] == 1
    assert f'| {HEAD} ' in page and ', torch ' in result['machine']
    assert (tmp_path / 'benchmark.png').stat().st_size > 10_000
    with pytest.raises(SystemExit, match='2'):
        main(['--rounds', '0'])
    assert 'expected a positive rounds, got 0' in capsys.readouterr().err
