"""Scores of annotations that were encoded and decoded."""
import csv
import json

import numpy as np
import pytest
from mmengine.config import Config

from lab.round_trip.oracle import oracle, oracle_codecs
from lab.round_trip.oracle_people import crop_dataset, load_dataset
from lab.round_trip.oracle_report import (
    draw_oracle,
    format_oracle,
    write_oracle,
)

from ..conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))
VAL = 'annotations/person_keypoints_val2017.json'


def toy_options(root):
    return {
        'val_dataloader.dataset.data_root': str(root),
        'val_evaluator.ann_file': str(root / VAL),
    }


@pytest.fixture(scope='module')
def result(toy_coco):
    return oracle(DEMO, toy_options(toy_coco), device='cpu')


def row(result, **wanted):
    found, = [row for row in result['rows']
              if all(row.get(key) == value for key, value in wanted.items())]
    return found


def test_counts(result, toy_coco):
    people = json.loads((toy_coco / VAL).read_text())['annotations']
    assert result['name'] == DEMO.stem
    assert result['input_size'] == (96, 128)
    assert result['people'] == len(people)
    labelled = sum(np.count_nonzero(person['keypoints'][2::3])
                   for person in people)
    assert result['points'] + result['outside'] == labelled
    assert result['head_sizes'] is False
    assert len(result['rows']) == 1 + len(oracle_codecs((96, 128))) == 21


def test_annotations_are_perfect(result):
    assert result['outside'] == 0
    exact = row(result, name='annotations')
    assert exact['metrics']['coco/AP'] == exact['metrics']['coco/AR'] == 1
    assert exact['mean'] == exact['max'] == exact['mean_image'] == 0


@pytest.mark.parametrize('cell', [8, 4, 2, 1])
def test_errors_of_a_grid(result, cell):
    """At most half the diagonal of a cell, and a quarter of it by a shift."""
    none = row(result, name='SRHeatmap', refine='none', cell=cell)
    assert none['rounded'] and 0.3 < none['max'] / cell <= 0.5**0.5 + 1e-4
    if cell < 8:  # not where Gaussians are cut off by the border
        shift = row(result, name='SRHeatmap', refine='shift', cell=cell)
        assert shift['mean'] == pytest.approx(none['mean'] / 2, rel=0.25)
        fit = row(result, name='SRHeatmap', refine='parabola', cell=cell)
        assert fit['mean'] < 0.02 * cell


def test_a_coarser_grid_scores_less(result):
    """In the toy's few and large people, AP counts from a cell of 8 px."""
    aps = {cell: row(result, name='SRHeatmap', refine='none',
                     cell=cell)['metrics']['coco/AP']
           for cell in (8, 4, 2, 1)}
    assert aps[8] <= aps[4] <= aps[2] <= aps[1] == 1
    assert aps[8] < 1


def test_ours_is_msra_at_its_settings(result):
    stock = row(result, name='MSRAHeatmap', refine='shift')
    ours = row(result, name='SRHeatmap', refine='none', cell=4)
    assert ours['metrics'] == stock['metrics']
    assert ours['mean'] == pytest.approx(stock['mean'], abs=1e-5)


def test_the_scores_of_known_keypoints(toy_coco):
    """AP and PCK of predictions whose errors are known."""
    cfg = Config.fromfile(DEMO)
    cfg.merge_from_dict(toy_options(toy_coco))
    people = crop_dataset(cfg, load_dataset(cfg), use_udp=False)
    truth = people.inputs[people.counted]
    moved = truth + np.float32([3, 4])
    inputs, images = people.errors(moved)
    np.testing.assert_allclose(inputs, 5, atol=1e-3)
    zoom = people.scales[:, 0, 0] / 96
    rows = np.nonzero(people.counted)[0]
    np.testing.assert_allclose(images, 5 * zoom[rows], rtol=1e-4)
    scores = np.linspace(0.1, 1, len(truth), dtype=np.float32)
    samples = people.predicted(moved, scores)
    keypoints = np.concatenate(
        [sample.pred_instances.keypoints for sample in samples])
    np.testing.assert_allclose(
        np.linalg.norm(keypoints - people.keypoints,
                       axis=-1)[people.counted], images, rtol=1e-4)
    given = np.concatenate(
        [sample.pred_instances.keypoint_scores for sample in samples])
    np.testing.assert_array_equal(given[people.counted], scores)
    assert not given[~people.counted].any()


def test_keypoints_beyond_the_crop(toy_coco, tmp_path):
    """They are predicted at its border, with a score of 0."""
    content = json.loads((toy_coco / VAL).read_text())
    person = content['annotations'][0]
    x, y, w, h = person['bbox']
    person['keypoints'][:3] = [x + 4 * w, y + h / 2, 2]
    (tmp_path / 'val.json').write_text(json.dumps(content))
    options = {
        'val_dataloader.dataset.ann_file': str(tmp_path / 'val.json'),
        'val_evaluator.ann_file': str(tmp_path / 'val.json')
    }
    cfg = Config.fromfile(DEMO)
    cfg.merge_from_dict(options)
    people = crop_dataset(cfg, load_dataset(cfg), use_udp=False)
    assert (people.labelled & ~people.inside).sum() == 1
    sample = people.predicted_exactly()[0].pred_instances
    right = people.centers[0, 0, 0] + people.scales[0, 0, 0] / 2
    np.testing.assert_allclose(sample.keypoints[0, 0], [right, y + h / 2],
                               rtol=1e-5)
    assert sample.keypoint_scores[0, 0] == 0
    result = oracle(DEMO, options, device='cpu')
    assert result['outside'] == 1
    exact = row(result, name='annotations')
    assert exact['mean'] == 0
    assert exact['metrics']['coco/AP'] < 1
    assert '1 more keypoints lie outside' in format_oracle([result])


def test_heads_without_their_boxes(shared_data):
    """PCKh is then in distances from the neck to the top of the head."""
    root = shared_data('mpii')
    result = oracle(
        'mmpose::body_2d_keypoint/topdown_heatmap/mpii/'
        'td-hm_res50_8xb64-210e_mpii-256x256.py', {
            'val_dataloader.dataset.data_root': str(root),
            'val_dataloader.dataset.ann_file': 'test_mpii.json',
            'val_dataloader.dataset.headbox_file': None
        },
        device='cpu')
    assert result['head_sizes'] is True
    assert result['people'] == 5
    assert row(result, name='annotations')['metrics']['PCK'] == 100
    coarse = row(result, name='SRHeatmap', cell=8, refine='none')
    assert coarse['metrics']['PCK@0.1'] < 90
    assert 'PCKh is in distances' in format_oracle([result])


def test_real_people(shared_data):
    """AP that a quarter-size grid costs, and a full-size one does not."""
    root = shared_data('coco_mini')
    result = oracle(
        'td-hm_res50_8xb64-210e_coco-256x192', {
            'val_dataloader.dataset.data_root': str(root),
            'val_dataloader.dataset.ann_file': 'person_keypoints.json',
            'val_evaluator.ann_file': str(root / 'person_keypoints.json')
        },
        device='cpu')
    assert (result['people'], result['points'], result['outside']) == (
        86, 792, 8)
    ap = {
        cell: row(result, name='SRHeatmap', refine='none',
                  cell=cell)['metrics']['coco/AP']
        for cell in (8, 4, 1)
    }
    exact = row(result, name='annotations')['metrics']['coco/AP']
    assert ap[1] == pytest.approx(exact, abs=1e-3)
    assert exact - ap[4] == pytest.approx(0.015, abs=0.002)
    assert exact - ap[8] == pytest.approx(0.102, abs=0.002)


@pytest.mark.parametrize('config, options, match', [
    ('ae-sr_res50_8xb24-300e_coco-512x512', {},
     'oracle: expected a top-down config'),
    (DEMO, {'val_dataloader': None}, 'with val_dataloader and val_evaluator'),
])
def test_refusals(config, options, match):
    with pytest.raises(ValueError, match=match):
        oracle(config, options)


def test_missing_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match='got: Annotation file .*'
                       'val_dataloader.dataset.data_root=PATH'):
        oracle(DEMO)
    with pytest.raises(FileNotFoundError, match='oracle: expected config'):
        oracle('nothing')


def test_files(result, tmp_path):
    write_oracle([result, result], tmp_path / 'out')
    folder = tmp_path / 'out'
    assert {path.name for path in folder.iterdir()} == {
        f'results.{end}' for end in ('csv', 'json', 'md', 'png')
    }
    assert json.loads((folder / 'results.json').read_text()) == json.loads(
        json.dumps(dict(results=[result, result])))
    with (folder / 'results.csv').open(newline='') as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == 42
    for line, measured in zip(lines, result['rows']):
        assert line['codec'] == measured['name']
        assert float(line['AP']) == measured['metrics']['coco/AP']
        assert float(line['mean px']) == measured['mean']
    text = (folder / 'results.md').read_text()
    assert text.count(f'## {DEMO.stem}') == 2
    table = [[cell.strip() for cell in line.strip('|').split('|')]
             for line in text.splitlines() if line.startswith('| ')]
    head, exact, stock = table[:3]
    assert head[4:] == ['AP', 'AP75', 'AR', 'mean px', 'max px',
                        'mean image px']
    assert exact[:5] == ['annotations', '', '', '', '1.0000']
    assert stock[:4] == ['MSRAHeatmap', 'nearest cell', '24x32', 'shift']
    assert float(stock[7]) == pytest.approx(result['rows'][1]['mean'],
                                            abs=5e-5)


def test_picture_shows_the_metric_and_the_error(result):
    metric, error = draw_oracle([result]).axes
    assert metric.get_ylabel() == 'AP'
    lines = {line.get_label(): line for line in metric.get_lines()}
    expected = [row(result, name='SRHeatmap', refine='none',
                    cell=cell)['metrics']['coco/AP']
                for cell in (8, 4, 2, 1)]
    assert [*lines['SRHeatmap, none'].get_ydata()] == expected
    assert {'MSRAHeatmap, shift', 'MSRAHeatmap, dark', 'UDPHeatmap, dark',
            'SimCCLabel, none'} <= set(lines)
    lines = {line.get_label(): line for line in error.get_lines()}
    assert lines['SimCCLabel, none'].get_ydata()[0] == row(
        result, name='SimCCLabel')['mean']
