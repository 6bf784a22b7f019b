"""Parameters and operations, by hand and as the paper reports them."""
import functools
import json

import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from srpose_mm.deploy import measure_complexity

from ..conftest import CONFIGS
from ..support.export_models import small_config
from ..support.tools import load_tool

STOCK = 'mmpose::body_2d_keypoint/topdown_heatmap/coco/'
COCO = CONFIGS / 'body_2d_keypoint'
RES50 = STOCK + 'td-hm_res50_8xb64-210e_coco-256x192.py'
SR_RES50 = COCO / 'sr_head/coco/td-sr_res50_8xb32-210e_coco-256x192.py'
SRPOSE_RES50 = COCO / 'srpose/coco/td-srpose_res50_8xb32-210e_coco-256x192.py'
DEMO = next((CONFIGS / 'demo').glob('*.py'))

# Parameters of neck and head in millions, and GFLOPs: arXiv 2307.16765.
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
    """Return the complexity of a config; each is computed once."""
    return functools.lru_cache(maxsize=None)(measure_complexity)


@pytest.mark.parametrize('config, params, gflops', PAPER)
def test_table_of_the_paper(config, params, gflops, measured):
    found = measured(config)
    assert found.other_params / 1e6 == pytest.approx(params, abs=0.01)
    assert found.gflops == pytest.approx(gflops, rel=0.02)


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
    found = measure_complexity(RES50, (384, 512))
    assert found.gflops == pytest.approx(4 * measured(RES50).gflops)
    assert found[:2] == measured(RES50)[:2]


def test_the_config_is_left_alone():
    cfg = Config.fromfile(DEMO)
    cfg.model.backbone.init_cfg = dict(
        type='Pretrained', checkpoint='nowhere.pth')
    before = cfg.model.to_dict()
    with torch.no_grad():
        measure_complexity(cfg)
    assert cfg.model.to_dict() == before


def test_frozen_and_checkpointed_parts_count():
    cfg = Config.fromfile(DEMO)
    plain = measure_complexity(cfg)
    cfg.model.backbone.update(frozen_stages=2, with_cp=True)
    assert measure_complexity(cfg) == plain


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
    found = measure_complexity(cfg)
    assert found.backbone_params == 4735040
    assert found.other_params / 1e6 == pytest.approx(1.16, abs=0.01)
    # Each layer: projections, queries times keys, weights times values,
    # perceptron.
    tokens = 32 * 24
    layer = (4 * tokens * 256**2 + 2 * tokens**2 * 256 +
             2 * tokens * 256 * 1024)
    cfg.model.backbone.num_layers = 1
    difference = found.gflops - measure_complexity(cfg).gflops
    assert difference == pytest.approx(3 * layer / 1e9)


def test_one_input_channel():
    cfg = small_config('sr_head')
    rgb = measure_complexity(cfg)
    cfg.model.backbone.in_channels = 1
    gray = measure_complexity(cfg)
    # The first convolution: 7x7, 8 channels, on a grid of 48x32.
    assert rgb.backbone_params - gray.backbone_params == 2 * 8 * 49
    assert rgb.gflops - gray.gflops == pytest.approx(
        2 * 8 * 49 * 48 * 32 / 1e9)


def test_configs_without_a_default_scope():
    cfg = small_config('sr_head')
    expected = measure_complexity(cfg)
    cfg.default_scope = None
    assert measure_complexity(cfg) == expected


def test_tool(measured, tmp_path, capsys):
    out = tmp_path / 'report.json'
    tool = load_tool('complexity')
    tool.main([str(SR_RES50), str(DEMO), '--out', str(out)])
    rows = json.loads(out.read_text())
    assert [row['config'] for row in rows] == [SR_RES50.stem, DEMO.stem]
    assert rows[0] == dict(
        config=SR_RES50.stem, **measured(SR_RES50)._asdict())
    assert rows[0]['other_params'] == 10593172
    cells = [[cell.strip() for cell in line.split('|')[1:-1]]
             for line in capsys.readouterr().out.splitlines()]
    assert cells[2] == [SR_RES50.stem, '23.51', '10.59', '5.74']
    with pytest.raises(SystemExit, match=r'complexity: .*got \(96, 0\)'):
        tool.main([str(DEMO), '--input-size', '96', '0'])


def test_no_such_file():
    with pytest.raises(FileNotFoundError, match=r'expected a config file, .*'
                       "got 'configs/nope.py'"):
        measure_complexity('configs/nope.py')
    with pytest.raises(FileNotFoundError, match='nope.py'):
        measure_complexity(STOCK + 'nope.py')


def test_no_model_and_no_size():
    with pytest.raises(ValueError, match=r"with a model, got .*\['codec'\]"):
        measure_complexity(Config(dict(codec=dict())))
    cfg = Config.fromfile(DEMO)
    cfg.pop('codec')
    cfg.model.head.pop('decoder')
    with pytest.raises(ValueError, match='a codec with an input_size'):
        measure_complexity(cfg)
    with pytest.raises(ValueError, match=r'positive \(width.*got \(0, 64\)'):
        measure_complexity(cfg, (0, 64))


def test_the_codec_of_the_last_stage():
    cfg = Config.fromfile(DEMO)
    expected = measure_complexity(cfg)
    cfg.model.head.pop('decoder')
    cfg.codec = [dict(input_size=(32, 32)), dict(input_size=(96, 128))]
    assert measure_complexity(cfg) == expected
