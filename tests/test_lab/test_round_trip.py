"""Errors and scores of keypoints that were encoded and decoded."""
import csv
import json

import numpy as np
import pytest
from mmengine.dataset import pseudo_collate
from mmpose.codecs import MSRAHeatmap, SimCCLabel, UDPHeatmap
from mmpose.registry import DATASETS, MODELS

from lab.round_trip import (
    annotation_source,
    config_source,
    draw_round_trips,
    format_round_trips,
    measure_round_trip,
    random_source,
)
from lab.round_trip.__main__ import main
from lab.round_trip.codecs import encode_and_decode
from lab.round_trip.crops import crop

from ..conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))
VAL = 'annotations/person_keypoints_val2017.json'
SIZE = (96, 128)
POINTS = 1000
# Mean distance of a uniform point from the center of a unit square, and the
# standard deviation of that distance.
MEAN = (np.sqrt(2) + np.log(1 + np.sqrt(2))) / 6
SPREAD = np.sqrt(1 / 6 - MEAN**2)
CELLS = (8, 4, 2, 1)


def options(root):
    return {
        'val_dataloader.dataset.data_root': str(root),
        'val_evaluator.ann_file': str(root / VAL),
    }


@pytest.fixture(scope='module')
def random():
    return measure_round_trip(random_source(POINTS, SIZE), 'cpu')


@pytest.fixture(scope='module')
def scored(toy_coco):
    return measure_round_trip(config_source(DEMO, options(toy_coco)), 'cpu')


def row(result, **wanted):
    row, = [row for row in result['rows']
            if all(row.get(key) == value for key, value in wanted.items())]
    return row


@pytest.mark.parametrize('cell', CELLS)
def test_errors_of_random_keypoints(random, cell):
    """An error is uniform in a cell; a quarter shift halves the cell."""
    none, shift, dark, parabola = (
        row(random, name='SRHeatmap', cell=cell, refine=refine)
        for refine in ('none', 'shift', 'dark', 'parabola'))
    tolerance = 4 * SPREAD * cell / np.sqrt(POINTS)
    assert none['mean'] == pytest.approx(MEAN * cell, abs=tolerance)
    assert 0.9 * cell < np.sqrt(2) * none['max'] <= cell * (1 + 1e-4)
    assert none['mean_cells'] == pytest.approx(none['mean'] / cell)
    assert none['mean_image'] == pytest.approx(none['mean'], rel=1e-4)
    assert none['median'] < none['p95'] < none['max']
    assert shift['mean'] == pytest.approx(MEAN * cell / 2, abs=tolerance / 2)
    assert dark['mean'] < (1e-2 if cell < 8 else 0.1)
    assert parabola['max'] < 1e-3
    assert none['rounded'] and not parabola['rounded']


@pytest.mark.parametrize('refine, codec', [
    ('shift', MSRAHeatmap(SIZE, (24, 32), sigma=2)),
    ('dark', MSRAHeatmap(SIZE, (24, 32), sigma=2, unbiased=True)),
    ('none', SimCCLabel(SIZE)),
])
def test_stock_codecs_one_by_one(random, refine, codec):
    errors = []
    for instance in random_source(POINTS, SIZE).instances:
        encoded = codec.encode(instance['keypoints'],
                               instance['keypoints_visible'])
        labels = [v for key, v in encoded.items() if 'weights' not in key]
        decoded, _ = codec.decode(*labels)
        errors.append(np.linalg.norm(decoded - instance['keypoints']))
    found = row(random, name=type(codec).__name__, refine=refine)
    assert found['mean'] == pytest.approx(np.mean(errors), abs=1e-4)
    assert found['median'] == pytest.approx(np.median(errors), abs=1e-4)
    assert found['max'] == pytest.approx(np.max(errors), abs=1e-4)


@pytest.mark.parametrize('codec', [MSRAHeatmap, UDPHeatmap])
def test_many_keypoints_are_decoded_as_few(codec):
    """UDPHeatmap numbers all cells in float32, which ends at 2**24."""
    codec = codec(input_size=(256, 256), heatmap_size=(64, 64), sigma=2)
    points = np.random.default_rng(0).uniform(
        40, 216, (6000, 2)).astype(np.float32)
    many, scores = encode_and_decode(codec, points, 'cpu')
    few, _ = encode_and_decode(codec, points[-10:], 'cpu')
    np.testing.assert_allclose(many[-10:], few, atol=1e-3)
    assert scores.shape == (6000, ) and scores.min() > 0.9


@pytest.mark.parametrize('kind', ['MSRAHeatmap', 'UDPHeatmap'])
def test_errors_are_those_of_mmpose(toy_coco, kind):
    """MMPose's dataset, pipeline and estimator with a perfect network."""
    codec = dict(type=kind, input_size=SIZE, heatmap_size=(24, 32), sigma=2)
    affine = dict(type='TopdownAffine', input_size=SIZE,
                  use_udp=kind == 'UDPHeatmap')
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(toy_coco),
            ann_file=VAL,
            data_prefix=dict(img='val2017/'),
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale'), affine,
                dict(type='GenerateTarget', encoder=codec),
                dict(type='PackPoseInputs')
            ]))
    head = dict(type='HeatmapHead', in_channels=1, out_channels=17)
    model = MODELS.build(
        dict(
            type='TopdownPoseEstimator',
            backbone=dict(type='ResNet', depth=18),
            head=dict(head, decoder=codec)))
    in_image, in_input = [], []
    for index in range(len(dataset)):
        sample, = pseudo_collate([dataset[index]])['data_samples']
        heatmaps = sample.gt_fields.heatmaps[None]
        predicted, = model.add_pred_to_datasample(
            model.head.decode(heatmaps), None, [sample])
        info = dataset.get_data_info(index)
        error = np.linalg.norm(
            predicted.pred_instances.keypoints - info['keypoints'], axis=-1)
        center, scale = sample.input_center, sample.input_scale
        counted = (info['keypoints_visible'] > 0) & np.all(
            np.abs(info['keypoints'] - center) < scale / 2, axis=-1)
        in_image += error[counted].tolist()
        in_input += (error[counted] * SIZE[0] / scale[0]).tolist()
    result = measure_round_trip(
        annotation_source(toy_coco / VAL, SIZE), 'cpu')
    found = row(result, name=kind, cell=4, rounded=kind == 'MSRAHeatmap')
    assert result['instances'] == len(dataset)
    assert result['points'] == len(in_image) > 30
    assert found['mean'] == pytest.approx(np.mean(in_input), abs=1e-4)
    assert found['mean_image'] == pytest.approx(np.mean(in_image), abs=1e-4)
    assert 'metrics' not in found


def test_scores_of_a_config(scored, toy_coco):
    people = json.loads((toy_coco / VAL).read_text())['annotations']
    assert scored['name'] == DEMO.stem
    assert scored['input_size'] == SIZE
    assert scored['instances'] == len(people)
    labelled = sum(np.count_nonzero(person['keypoints'][2::3])
                   for person in people)
    assert (scored['points'], scored['outside']) == (labelled, 0)
    exact = row(scored, name='annotations')
    assert exact['metrics']['coco/AP'] == exact['metrics']['coco/AR'] == 1
    assert exact['mean'] == exact['max'] == exact['mean_image'] == 0
    aps = [row(scored, name='SRHeatmap', refine='none',
               cell=cell)['metrics']['coco/AP'] for cell in CELLS]
    assert aps == sorted(aps) and aps[0] < aps[-1] == 1
    stock = row(scored, name='MSRAHeatmap', refine='shift')
    ours = row(scored, name='SRHeatmap', refine='none', cell=4)
    assert ours['metrics'] == stock['metrics']
    own = row(scored, name='SRHeatmap of the config')
    assert (own['grid'], own['refine']) == (SIZE, 'dark')


def test_predictions_at_known_distances(toy_coco):
    crops = crop(config_source(DEMO, options(toy_coco)), use_udp=False)
    counted = crops.counted
    moved = crops.into_image(crops.inputs[counted] + np.float32([3, 4]))
    zoom = crops.scales[np.nonzero(counted)[0], 0, 0] / SIZE[0]
    distances = np.linalg.norm(moved - crops.keypoints[counted], axis=-1)
    np.testing.assert_allclose(distances, 5 * zoom, rtol=1e-4)
    scores = np.linspace(0.1, 1, len(moved), dtype=np.float32)
    samples = crops.predict(moved, scores)
    keypoints = np.concatenate(
        [sample.pred_instances.keypoints for sample in samples])
    given = np.concatenate(
        [sample.pred_instances.keypoint_scores for sample in samples])
    np.testing.assert_allclose(keypoints[counted], moved)
    np.testing.assert_array_equal(given[counted], scores)
    assert not given[~counted].any()


def test_keypoints_outside_the_crop(toy_coco, tmp_path):
    """They are predicted at the border of the crop, with a score of 0."""
    content = json.loads((toy_coco / VAL).read_text())
    person = content['annotations'][0]
    x, y, w, h = person['bbox']
    person['keypoints'][:3] = [x + 4 * w, y + h / 2, 2]
    file = tmp_path / 'val.json'
    file.write_text(json.dumps(content))
    source = config_source(DEMO, {
        'val_dataloader.dataset.ann_file': str(file),
        'val_evaluator.ann_file': str(file)
    })
    crops = crop(source, use_udp=False)
    truth = crops.keypoints[crops.counted]
    prediction = crops.predict(truth, 1)[0].pred_instances
    right = crops.centers[0, 0, 0] + crops.scales[0, 0, 0] / 2
    np.testing.assert_allclose(prediction.keypoints[0, 0], [right, y + h / 2],
                               rtol=1e-5)
    assert prediction.keypoint_scores[0, 0] == 0
    result = measure_round_trip(source, 'cpu')
    assert result['outside'] == 1
    exact = row(result, name='annotations')
    assert exact['mean'] == 0 and exact['metrics']['coco/AP'] < 1
    assert '1 more keypoints are outside' in format_round_trips([result])


def test_head_sizes_from_keypoints(toy_mpii):
    """Without the file of head boxes PCKh is relative to neck and head."""
    source = config_source(
        'mmpose::body_2d_keypoint/topdown_heatmap/mpii/'
        'td-hm_res50_8xb64-210e_mpii-256x256.py', {
            'val_dataloader.dataset.data_root': str(toy_mpii),
            'val_dataloader.dataset.headbox_file': None
        })
    result = measure_round_trip(source, 'cpu')
    assert result['head_sizes'] is True
    assert 'PCKh is relative to' in format_round_trips([result])
    neck, top = (source.keypoint_ids[name]
                 for name in ('upper_neck', 'head_top'))
    keypoints = crop(source, use_udp=False).keypoints
    sizes = np.linalg.norm(keypoints[:, neck] - keypoints[:, top], axis=-1)
    # The metric adds 1 to x and y of predictions: MPII counts from 1.
    expected = 100 * np.mean(np.sqrt(2) <= 0.5 * sizes)
    metrics = row(result, name='annotations')['metrics']
    assert metrics['Head PCK'] == pytest.approx(expected)
    assert 0 < expected < 100


def test_files(scored, random, toy_coco, tmp_path, capsys):
    main([str(DEMO), '--random', str(POINTS), '--input-size', '96', '128',
          '--out-dir', str(tmp_path / 'out'), '--device', 'cpu',
          '--cfg-options', *(f'{key}={value}' for key, value in
                             options(toy_coco).items())])
    folder = tmp_path / 'out'
    assert {path.name for path in folder.iterdir()} == {
        f'results.{end}' for end in ('csv', 'json', 'md', 'png')
    }
    results = json.loads((folder / 'results.json').read_text())['results']
    assert results == json.loads(json.dumps([scored, random]))
    text = capsys.readouterr().out
    assert text == (folder / 'results.md').read_text()
    rows = scored['rows'] + random['rows']
    with (folder / 'results.csv').open(newline='') as stream:
        lines = list(csv.DictReader(stream))
    assert len(lines) == len(rows)
    for line, measured in zip(lines, rows):
        assert line['codec'] == measured['name']
        assert float(line['mean px']) == measured['mean']
        if 'metrics' in measured:
            assert float(line['AP']) == measured['metrics']['coco/AP']
    table = [[cell.strip() for cell in line.strip('|').split('|')]
             for line in text.splitlines() if line.startswith('| ')]
    head, exact, stock = table[:3]
    assert head[4:8] == ['AP', 'AP75', 'AR', 'mean px']
    assert exact[:5] == ['annotations', '', '', '', '1.0000']
    assert stock[:4] == ['MSRAHeatmap', 'nearest cell', '24x32', 'shift']
    assert float(stock[7]) == pytest.approx(rows[1]['mean'], abs=5e-5)


def test_picture_shows_the_metric_and_the_error(scored, random):
    metric, _, error, other = draw_round_trips([scored, random]).axes
    assert metric.get_ylabel() == 'AP'
    aps = [row(scored, name='SRHeatmap', refine='none',
               cell=cell)['metrics']['coco/AP'] for cell in CELLS]
    errors = [row(random, name='SRHeatmap', refine='none', cell=cell)['mean']
              for cell in CELLS]
    for ax, values in ((metric, aps), (other, errors)):
        lines = {line.get_label(): line for line in ax.get_lines()}
        assert [*lines['SRHeatmap, none'].get_ydata()] == values
        assert {'MSRAHeatmap, shift', 'MSRAHeatmap, dark', 'UDPHeatmap, dark',
                'SimCCLabel, none'} <= set(lines)
    assert error.get_yscale() == 'log'
    assert len(draw_round_trips([random]).axes) == 1


@pytest.mark.parametrize('words, message', [
    (['--random', '0'], 'at least 1 random keypoint'),
    (['--random', '3', '--input-size', '64', '96'], r'above 64 px.*\(64, 96'),
    (['--random', '3', '--input-size', '100', '128'], 'multiples of 8.*100'),
    (['nothing.json'], 'expected the dataset of .*nothing.json'),
    (['nothing'], 'expected a config file'),
    ([str(DEMO)], 'Annotation file .*val_dataloader.dataset.data_root=PATH'),
    (['ae-sr_res50_8xb24-300e_coco-512x512'], 'expected a top-down config'),
    ([], '^2$'),
])
def test_refusals(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message):
        main(words)


def test_annotations_without_keypoints(toy_coco, tmp_path):
    content = json.loads((toy_coco / VAL).read_text())
    person = dict(content['annotations'][0], bbox=[100, 100, 40, 50],
                  keypoints=[900, 120, 2] + 48 * [0], num_keypoints=1)
    content['annotations'] = [person]
    (tmp_path / 'val.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='labelled keypoints in the boxes of '
                       'val, got none'):
        measure_round_trip(annotation_source(tmp_path / 'val.json', SIZE))
