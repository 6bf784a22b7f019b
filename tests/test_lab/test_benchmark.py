import json

import matplotlib.image
import pytest
import torch

from lab.benchmark import (
    Figure,
    benchmark,
    draw_figures,
    format_figures,
)
from lab.benchmark.__main__ import main
from lab.benchmark.loading import target_bytes
from lab.benchmark.memory import peak_memory
from lab.benchmark.report import with_ratios
from lab.benchmark.systems import load_systems
from lab.benchmark.timing import summarize, time_interleaved

CPU = torch.device('cpu')
FIGURES = [
    Figure('step', 'stock 1/4', 'ms', 20, 19, 21),
    Figure('step', 'SRPose fast', 'ms', 10, 9, 11),
    Figure('loader', 'stock 1/4', 'samples/s', 20, 19, 21),
    Figure('loader', 'SRPose fast', 'samples/s', 30, 29, 31)
]


def test_systems_take_turns():
    order = []
    tasks = {name: lambda name=name: order.append(name) for name in 'ab'}
    figures = time_interleaved('call', tasks, 3, CPU)
    assert order == ['a', 'b'] * 4  # one turn to warm up
    assert [(f.system, f.unit) for f in figures] == [('a', 'ms'), ('b', 'ms')]


def test_median_and_quartiles():
    figure = summarize('m', 's', 'ms', [5, 1, 2, 4, 3])
    assert (figure.low, figure.median, figure.high) == (1.5, 3, 4.5)
    single = summarize('m', 's', 'ms', [7])
    assert (single.low, single.median, single.high) == (7, 7, 7)


def test_peak_memory_counts_what_is_held_at_once():
    megabytes = 10

    def task():
        for _ in range(3):
            first = torch.ones(megabytes, 250_000)
            first + 1

    peak = peak_memory(task, CPU)
    assert peak == pytest.approx(2 * megabytes * 1e6, rel=0.01)


def test_ratios_say_how_many_times_better():
    ratios = [ratio for _, ratio in with_ratios(FIGURES)]
    assert ratios == [1, 2, 1, 1.5]
    cells = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in format_figures(FIGURES).splitlines()]
    assert ['step', 'SRPose fast', '10 ms', '9 to 11', '2.00'] in cells
    assert cells[-1][-1] == '1.50'


def test_picture(tmp_path):
    path = tmp_path / 'bars.png'
    draw_figures(FIGURES, path, 'a machine')
    picture = matplotlib.image.imread(path)
    assert picture.shape[1] > 500 and picture.std() > 0.05


def test_target_bytes():
    systems = load_systems()
    nbytes = {
        name: target_bytes(system.samples(1, CPU)[0])
        for name, system in systems.items()
    }
    weights = 17 * 4
    assert nbytes['stock 1/4'] == 17 * 48 * 64 * 4 + weights
    assert nbytes['stock full'] == nbytes['SRPose plain']
    assert nbytes['stock full'] == 17 * 192 * 256 * 4 + weights
    assert nbytes['SRPose fast'] == 17 * 2 * 4 + weights


def test_each_system_trains_and_predicts():
    for name, system in load_systems().items():
        system.cfg.model.backbone.update(depth=18)
        head = system.cfg.model.head
        if 'neck' in system.cfg.model:
            system.cfg.model.neck.in_channels = (512, 256, 128, 64)
        else:
            head.in_channels = 512
        model = system.build(CPU)
        losses = model.loss(system.images(2, CPU), system.samples(2, CPU))
        total, _ = model.parse_losses(losses)
        assert torch.isfinite(total), name


def test_tool(tmp_path, capsys):
    main([
        '--measures', 'decode', '--rounds', '1', '--batch', '1', '--out-dir',
        str(tmp_path)
    ])
    assert 'decode dark, batch 4' in capsys.readouterr().out
    result = json.loads((tmp_path / 'benchmark.json').read_text())
    assert result['settings']['rounds'] == 1
    measured = {(f['measure'], f['system']) for f in result['figures']}
    assert ('decode dark, batch 4', 'stock full') in measured
    assert ('decode none, batch 4', 'SimCC') in measured
    assert all(f['median'] > 0 for f in result['figures'])
    assert (tmp_path / 'benchmark.png').is_file()
    page = (tmp_path / 'benchmark.md').read_text().splitlines()
    assert page[0] == '# Benchmark' and page[2].endswith('; 1 rounds.')
    assert len(page) == 4 + 2 + len(result['figures'])


def test_loader(toy_coco):
    result = benchmark(['loader'], rounds=1, data_root=toy_coco)
    rates = [f for f in result['figures'] if f.unit == 'samples/s']
    assert len(rates) == 10 and all(f.median > 0 for f in rates)
    nbytes = {f.system: f.median for f in result['figures']
              if f.unit == 'bytes'}
    assert nbytes['SRPose fast'] < 1000 < nbytes['SimCC'] < nbytes['stock 1/4']


SYSTEMS = {
    'head': ['stock 1/4', 'stock 1/4 fast', 'stock full', 'SimCC',
             'SR head fast', 'SRPose plain', 'SRPose fast'],
    'loss': ['SRPose plain', 'SRPose fast'],
    'bottom-up': ['stock full', 'SRPose fast'],
}
SYSTEMS['model'] = SYSTEMS['train'] = SYSTEMS['head']


@pytest.mark.parametrize('measure', [
    'head', 'loss', 'bottom-up',
    *(pytest.param(name, marks=pytest.mark.slow)
      for name in ('model', 'train'))
])
def test_measures(measure):
    figures = benchmark([measure], rounds=1, batch=1, device='cpu')['figures']
    assert len({(f.measure, f.system) for f in figures}) == len(figures)
    for unit in {f.unit for f in figures}:
        found = [f for f in figures if f.unit == unit]
        names = [f.system for f in found if f.measure == found[0].measure]
        assert names == SYSTEMS[measure]
        assert all(f.median > 0 for f in found)


@pytest.mark.parametrize('kwargs, message', [
    (dict(measures=['speed']), r"expected measures from .* got \['speed'\]"),
    (dict(rounds=0), 'expected rounds to be positive, got 0'),
])
def test_refuses(kwargs, message):
    with pytest.raises(ValueError, match=f'benchmark: {message}'):
        benchmark(**kwargs)


