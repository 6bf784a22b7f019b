"""A sample of the sweep over MMPose's configs, and its tool."""
import json
import runpy
import sys

import pytest
from mmengine.logging import MMLogger

from lab.sweep.sweep_swap_head import (
    stock_configs,
    sweep_summary,
    sweep_swap_head,
)

from ..conftest import ROOT

# The function has the module's name.
MODULE = sys.modules['lab.sweep.sweep_swap_head']

# Light models of several kinds: MSRA, UDP, SimCC and regression, with and
# without deconvolutions; body, hand and face.
SAMPLE = dict(
    sr=[
        'cspnext-tiny_udp_8xb256-210e_coco-256x192',
        'rtmpose-t_8xb256-420e_coco-256x192',
        'td-hm_mobilenetv2_8xb32-210e_coco-wholebody-hand-256x256',
        'td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192',
        'td-hm_alexnet_8xb64-210e_coco-256x192',
    ],
    srpose=[
        'cspnext-tiny_udp_8xb256-210e_coco-256x192',
        'td-hm_mobilenetv2_8xb32-60e_coco-wholebody-face-256x256',
        'td-hm_shufflenetv1_8xb64-210e_coco-256x192',
    ])


def test_all_configs_are_found():
    names = stock_configs()
    assert len(names) == len(set(names)) >= 400
    assert all(name.startswith('mmpose::') for name in names)
    assert stock_configs(['topdown_heatmap/300w/']) == [
        name for name in names if 'topdown_heatmap/300w/' in name
    ] != []


@pytest.mark.parametrize('scheme, config', [
    (scheme, config) for scheme, configs in SAMPLE.items()
    for config in configs
])
def test_sample(scheme, config):
    record, = sweep_swap_head([config], [scheme])
    assert record['reason'] == ''
    assert record['passed'] == ['converted', 'reloaded', 'built', 'ran']
    # Every parameter serves, so that training on several GPUs works.
    assert record['unused'] == []


def test_runs_count_for_all_configs_of_a_combination(monkeypatch):
    names = stock_configs(['animalpose/td-hm_res50', 'ap10k/td-hm_res50'])
    assert len(names) == 2
    calls = []
    monkeypatch.setattr(MODULE, 'run_once', lambda cfg: calls.append(cfg))
    records = sweep_swap_head(names, ['sr'])
    assert [record['reached'] for record in records] == ['ran', 'ran']
    assert len(calls) == 1


def test_what_does_not_work_is_reported(monkeypatch):
    def broken(cfg):
        raise RuntimeError('the loss is not finite\nmore')

    monkeypatch.setattr(MODULE, 'run_once', broken)
    records = sweep_swap_head([
        'td-hm_mobilenetv2_8xb64-210e_coco-256x192',
        'dekr_hrnet-w32_8xb10-140e_coco-512x512'
    ], ['sr'])
    failed, refused = records
    assert failed['passed'] == ['converted', 'reloaded', 'built']
    assert failed['reached'] == 'failed'
    assert failed['reason'] == 'RuntimeError: the loss is not finite'
    assert refused['passed'] == [] and refused['reached'] == 'refused'
    table = sweep_summary(records)
    rows = [[cell.strip() for cell in line.split('|')[1:-1]]
            for line in table.splitlines() if line.startswith('|')]
    assert ['sr', 'HeatmapHead', '1', '1', '1', '1', '0', '0', '0', '1'
            ] in rows
    assert ['sr', 'DEKRHead', '1', '0', '0', '0', '0', '1', '0', '0'] in rows
    assert ['sr', 'failed', '1', 'RuntimeError: the loss is not finite'
            ] in rows


def test_tool(tmp_path, capsys):
    main = runpy.run_path(str(ROOT / 'tools/sweep_swap_head.py'))['main']
    out = tmp_path / 'sweep.json'
    main([
        '--filter', 'topdown_heatmap/300w/', 'cid_hrnet-w32', '--no-run',
        '--limit', '2', '--scheme', 'sr', '--out',
        str(out)
    ])
    records = json.loads(out.read_text())
    assert {record['head']: record['reached'] for record in records} == dict(
        HeatmapHead='built', CIDHead='refused')
    assert sweep_summary(records) in capsys.readouterr().out
    MMLogger._instance_dict.clear()
