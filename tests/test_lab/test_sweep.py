"""A sample of the sweep over MMPose's configs, and its tool."""
import json

import pytest

from lab.sweep import stock_configs, sweep, sweep_heads, sweep_summary
from lab.sweep.__main__ import main

# Light models of several kinds: MSRA, UDP, SimCC and regression, with and
# without deconvolutions; body, hand and face.
SAMPLE = [
    ('sr', 'cspnext-tiny_udp_8xb256-210e_coco-256x192'),
    ('sr', 'rtmpose-t_8xb256-420e_coco-256x192'),
    ('sr', 'td-hm_mobilenetv2_8xb32-210e_coco-wholebody-hand-256x256'),
    ('sr', 'td-reg_mobilenetv2_rle-pretrained-8xb64-210e_coco-256x192'),
    ('srpose', 'td-hm_mobilenetv2_8xb32-60e_coco-wholebody-face-256x256'),
    ('srpose', 'td-hm_shufflenetv1_8xb64-210e_coco-256x192'),
]


def cells(table):
    return [[cell.strip() for cell in line.split('|')[1:-1]]
            for line in table.splitlines() if line.startswith('|')]


def test_lists_the_stock_configs():
    names = stock_configs()
    assert len(names) == len(set(names)) >= 400
    assert all(name.startswith('mmpose::') for name in names)
    assert stock_configs(['topdown_heatmap/300w/']) == [
        name for name in names if 'topdown_heatmap/300w/' in name
    ] != []


@pytest.mark.parametrize('scheme, config', SAMPLE)
def test_sample(scheme, config):
    record, = sweep_heads([config], [scheme])
    assert record['reason'] == ''
    assert record['passed'] == ['converted', 'built', 'ran']
    # DDP needs a gradient for each parameter.
    assert record['unused'] == []


def test_a_run_counts_for_all_configs_of_a_combination(monkeypatch):
    names = stock_configs(['animalpose/td-hm_res50', 'ap10k/td-hm_res50'])
    assert len(names) == 2
    calls = []
    monkeypatch.setattr(sweep, 'run_once', calls.append)
    records = sweep_heads(names, ['sr'])
    assert [record['reached'] for record in records] == ['ran', 'ran']
    assert len(calls) == 1


def test_failures_and_refusals_are_reported(monkeypatch):
    def broken(cfg):
        raise RuntimeError('the loss is not finite\nmore')

    monkeypatch.setattr(sweep, 'run_once', broken)
    records = sweep_heads([
        'td-hm_mobilenetv2_8xb64-210e_coco-256x192',
        'dekr_hrnet-w32_8xb10-140e_coco-512x512'
    ], ['sr'])
    failed, refused = records
    assert failed['passed'] == ['converted', 'built']
    assert failed['reached'] == 'failed'
    assert failed['reason'] == 'RuntimeError: the loss is not finite'
    assert refused['passed'] == [] and refused['reached'] == 'refused'
    rows = cells(sweep_summary(records))
    assert ['sr', 'HeatmapHead', '1', '1', '1', '0', '0', '0', '1'] in rows
    assert ['sr', 'DEKRHead', '1', '0', '0', '0', '1', '0', '0'] in rows
    assert ['sr', 'failed', 'RuntimeError: the loss is not finite',
            '1'] in rows


def test_main(tmp_path, capsys):
    out = tmp_path / 'sweep.json'
    main(['--filter', 'topdown_heatmap/300w/', 'cid_hrnet-w32', '--no-run',
          '--limit', '2', '--scheme', 'sr', '--out', str(out)])
    records = json.loads(out.read_text())
    assert {record['head']: record['reached'] for record in records} == dict(
        HeatmapHead='built', CIDHead='refused')
    assert sweep_summary(records) in capsys.readouterr().out
