import json
import runpy
import sys

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from srpose_mm.deploy.complexity import (
    Complexity,
    complexity,
    complexity_report,
    format_report,
    reported_in_paper,
)

from ..conftest import CONFIGS, ROOT

STOCK = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
COCO = CONFIGS / 'body_2d_keypoint'
RES50 = STOCK + 'td-hm_res50_8xb64-210e_coco-256x192.py'
SR_RES50 = COCO / 'sr_head/coco/td-sr_res50_8xb32-210e_coco-256x192.py'
SRPOSE_RES50 = COCO / 'srpose/coco/td-srpose_res50_8xb32-210e_coco-256x192.py'
DEMO = next((CONFIGS / 'demo').glob('*.py'))

PAPER = [
    (RES50, 10.49, 5.46),
    (SR_RES50, 10.59, 5.77),
    (SRPOSE_RES50, 1.29, 4.61),
    (STOCK + 'td-hm_hrnet-w32_8xb64-210e_coco-256x192.py', 0.00, 7.70),
    (COCO / 'sr_head/coco/td-sr_hrnet-w32_8xb32-210e_coco-256x192.py', 0.09,
     7.98),
    (COCO / 'srpose/coco/td-srpose_hrnet-w32_8xb32-210e_coco-256x192.py', 0.65,
     8.28),
]


@pytest.fixture(scope='module')
def measured():
    """Complexities by config, each computed once."""
    found = {}

    def measure(config):
        if config not in found:
            found[config] = complexity(config)
        return found[config]

    return measure


@pytest.mark.parametrize('config, params, gflops', PAPER)
def test_it_is_the_table_of_the_paper(config, params, gflops, measured):
    found = measured(config)
    assert found.other_params / 1e6 == pytest.approx(params, abs=0.01)
    assert found.gflops == pytest.approx(gflops, rel=0.02)
    assert reported_in_paper(config) == (params, gflops)


def test_backbone_parameters(measured):
    assert measured(RES50).backbone_params == 23508032
    assert measured(SRPOSE_RES50).backbone_params == 23508032
    hrnet = COCO / 'srpose/coco/td-srpose_hrnet-w32_8xb32-210e_coco-256x192.py'
    assert measured(hrnet).backbone_params / 1e6 == pytest.approx(
        29.30, abs=0.01)


def test_parts_for_training_do_not_count(measured):
    cfg = Config.fromfile(SRPOSE_RES50)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(cfg.model)
    deployed = [*model.neck.parameters(),
                *model.head.sr_blocks[-1].parameters()]
    everything = [*model.neck.parameters(), *model.head.parameters()]
    found = measured(SRPOSE_RES50).other_params
    assert found == sum(p.numel() for p in deployed)
    assert found < sum(p.numel() for p in everything)


def test_gflops_by_hand(measured):
    """The heads differ by what follows the deconvolutions, at 64x48."""
    encoder, predictor = 256 * 68, 17 * (4 * 16) * 81
    final_layer = 256 * 17
    expected = 64 * 48 * (encoder + predictor - final_layer)
    difference = measured(SR_RES50).gflops - measured(RES50).gflops
    assert difference == pytest.approx(expected / 1e9, rel=1e-9)


def test_input_size(measured):
    found = complexity(RES50, (384, 512))
    assert found.gflops == pytest.approx(4 * measured(RES50).gflops)
    assert found[:2] == measured(RES50)[:2]
    assert reported_in_paper(RES50, (384, 512)) is None


def test_the_config_is_left_alone():
    cfg = Config.fromfile(DEMO)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint='nowhere.pth')
    before = cfg.model.to_dict()
    with torch.no_grad():
        complexity(cfg)
    assert cfg.model.to_dict() == before


def test_frozen_and_checkpointed_parts_count():
    cfg = Config.fromfile(DEMO)
    plain = complexity(cfg)
    cfg.model.backbone.update(frozen_stages=2, with_cp=True)
    assert complexity(cfg) == plain


@pytest.mark.parametrize('change', [
    dict(backbone=dict(depth=101)),
    dict(head=dict(out_channels=14)),
    dict(head=dict(type='RegressionHead')),
    dict(type='PoseLifter'),
])
def test_only_the_models_of_the_paper_are_compared(change):
    cfg = Config.fromfile(SR_RES50)
    assert reported_in_paper(cfg) is not None
    cfg.merge_from_dict(dict(model=change))
    assert reported_in_paper(cfg) is None


def test_transpose():
    model = dict(
        type='TopdownPoseEstimator',
        backbone=dict(type='TransPose'),
        head=dict(
            type='SRHead',
            in_channels=256,
            out_channels=17,
            deconv_out_channels=(256, ),
            deconv_kernel_sizes=(4, )))
    cfg = Config(dict(codec=dict(input_size=(192, 256)), model=model))
    found = complexity(cfg)
    assert found.backbone_params == 4735040
    assert found.other_params / 1e6 == pytest.approx(1.16, abs=0.01)
    assert reported_in_paper(cfg) == (1.16, 9.23)
    # Three layers more: projections, queries times keys, weights
    # times values, perceptron.
    tokens = 32 * 24
    layer = (4 * tokens * 256**2 + 2 * tokens**2 * 256 +
             2 * tokens * 256 * 1024)
    cfg.model.backbone.num_layers = 1
    difference = found.gflops - complexity(cfg).gflops
    assert difference == pytest.approx(3 * layer / 1e9)


def test_report(measured):
    report = complexity_report([SR_RES50, Config.fromfile(DEMO)])
    assert json.loads(json.dumps(report)) == report
    ours, demo = report
    assert ours['config'] == SR_RES50.stem
    assert ours['paper'] == dict(other_mparams=10.59, gflops=5.77)
    assert Complexity(**{k: ours[k] for k in Complexity._fields
                         }) == measured(SR_RES50)
    assert demo['config'] == DEMO.stem and demo['paper'] is None


def test_table():
    table = format_report([
        dict(
            config='a',
            backbone_params=23508032,
            other_params=10593172,
            gflops=5.737,
            paper=dict(other_mparams=10.59, gflops=5.77)),
        dict(
            config='b',
            backbone_params=1000000,
            other_params=20000,
            gflops=1.5,
            paper=None),
    ])
    cells = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in table.splitlines() if line.startswith('|')]
    assert cells[2] == [
        'a', '23.51', '10.59', '10.59', '+0.003', '5.74', '5.77', '-0.6 %'
    ]
    assert cells[3] == ['b', '1.00', '0.02', '', '', '1.50', '', '']
    assert 'reported in arXiv 2307.16765, not measured' in table


def test_tool(tmp_path, monkeypatch, capsys):
    out = tmp_path / 'report.json'
    monkeypatch.setattr(
        sys, 'argv', ['complexity.py', str(SR_RES50), '--out', str(out)])
    runpy.run_path(str(ROOT / 'tools/complexity.py'), run_name='__main__')
    report = json.loads(out.read_text())
    assert report[0]['other_params'] == 10593172
    assert format_report(report) in capsys.readouterr().out


def test_no_such_file():
    with pytest.raises(FileNotFoundError, match=r'complexity: expected config '
                       r'to be a config file, .*got \'configs/nope.py\''):
        complexity('configs/nope.py')
    with pytest.raises(FileNotFoundError, match='nope.py'):
        complexity(STOCK + 'nope.py')


def test_no_model_and_no_size(tmp_path):
    with pytest.raises(ValueError, match=r'with a model, got .*\[\'codec\'\]'):
        complexity(Config(dict(codec=dict())))
    cfg = Config.fromfile(DEMO)
    cfg.pop('codec')
    cfg.model.head.pop('decoder')
    with pytest.raises(ValueError, match='a codec with an input_size'):
        complexity(cfg)
    with pytest.raises(ValueError, match=r'positive \(width.*got \(0, 64\)'):
        complexity(cfg, (0, 64))
