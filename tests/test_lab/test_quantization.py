import json
import re

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmpose.codecs import MSRAHeatmap, SimCCLabel, UDPHeatmap
from mmpose.registry import DATASETS, MODELS

from lab.round_trip.quantization import quantization
from lab.round_trip.quantization_codecs import round_trip
from lab.round_trip.quantization_people import annotated_people, random_people
from lab.round_trip.quantization_report import (
    draw_quantization,
    format_quantization,
)

from ..conftest import CONFIGS
from ..support.mim import mim

SIZE = (96, 128)
VAL = 'annotations/person_keypoints_val2017.json'
# Mean distance of a uniform point from the centre of a unit square, and the
# standard deviation of that distance.
MEAN = (np.sqrt(2) + np.log(1 + np.sqrt(2))) / 6
SPREAD = np.sqrt(1 / 6 - MEAN**2)


@pytest.fixture(scope='module')
def measured():
    return quantization(random=1500, input_size=SIZE, device='cpu')


def rows(result, **wanted):
    return [
        row for row in result['rows']
        if all(row[key] == value for key, value in wanted.items())
    ]


def row(result, **wanted):
    found, = rows(result, **wanted)
    return found


@pytest.mark.parametrize('name', ['SRHeatmap', 'SRHeatmap unbiased'])
@pytest.mark.parametrize('cell', [8, 4, 2, 1])
def test_error_of_cells(measured, name, cell):
    """Without refinement an error is uniform in a cell around its centre."""
    found = row(measured, name=name, cell=cell, refine='none')
    tolerance = 4 * SPREAD * cell / np.sqrt(measured['points'])
    assert found['mean'] == pytest.approx(MEAN * cell, abs=tolerance)
    assert 0.9 * cell < np.sqrt(2) * found['max'] <= cell * (1 + 1e-4)
    assert found['mean_cells'] == pytest.approx(found['mean'] / cell)
    assert found['mean_image'] == pytest.approx(found['mean'], rel=1e-4)


@pytest.mark.parametrize('cell', [8, 4, 2, 1])
def test_refinement_of_exact_gaussians(measured, cell):
    """A quarter shift halves the cell; the others find the keypoint."""
    found = {
        r['refine']: r
        for r in rows(measured, name='SRHeatmap unbiased', cell=cell)
    }
    tolerance = 4 * SPREAD * cell / 2 / np.sqrt(measured['points'])
    assert found['shift']['mean'] == pytest.approx(
        MEAN * cell / 2, abs=tolerance)
    assert found['dark']['mean'] < (1e-2 if cell < 8 else 0.1)
    assert found['parabola']['max'] < 1e-3


def test_rounding_cannot_be_refined_away(measured):
    for cell in (8, 4, 2, 1):
        means = [r['mean'] for r in rows(measured, name='SRHeatmap',
                                         cell=cell)]
        assert len(means) == 4
        assert np.ptp(means) < 1e-3


@pytest.mark.parametrize('name, codec', [
    ('MSRAHeatmap', MSRAHeatmap(SIZE, (24, 32), sigma=2)),
    ('MSRAHeatmap unbiased',
     MSRAHeatmap(SIZE, (24, 32), sigma=2, unbiased=True)),
    ('SimCCLabel', SimCCLabel(SIZE)),
])
def test_stock_codecs_one_by_one(measured, name, codec):
    errors = []
    for person in random_people(1500, SIZE, seed=0):
        encoded = codec.encode(person['keypoints'],
                               person['keypoints_visible'])
        labels = [v for key, v in encoded.items() if 'weights' not in key]
        decoded, _ = codec.decode(*labels)
        errors.append(np.linalg.norm(decoded - person['keypoints']))
    found = row(measured, name=name)
    assert found['mean'] == pytest.approx(np.mean(errors), abs=1e-4)
    assert found['median'] == pytest.approx(np.median(errors), abs=1e-4)
    assert found['max'] == pytest.approx(np.max(errors), abs=1e-4)


def test_udp_goes_back_as_estimators_do(measured):
    """Taken for MSRA's mapping it would be up to half a pixel off."""
    assert row(measured, name='UDPHeatmap')['max'] < 1e-2


@pytest.mark.parametrize('kind', ['MSRAHeatmap', 'UDPHeatmap'])
def test_annotations_as_the_pipeline_does(toy_coco, kind):
    """MMPose's data set, pipeline and estimator, given a perfect network."""
    codec = dict(type=kind, input_size=SIZE, heatmap_size=(24, 32), sigma=2)
    dataset = DATASETS.build(
        dict(
            type='CocoDataset',
            data_root=str(toy_coco),
            ann_file=VAL,
            data_prefix=dict(img='val2017/'),
            pipeline=[
                dict(type='LoadImage'),
                dict(type='GetBBoxCenterScale'),
                dict(
                    type='TopdownAffine',
                    input_size=SIZE,
                    use_udp=kind == 'UDPHeatmap'),
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
        batch = pseudo_collate([dataset[index]])
        sample = batch['data_samples'][0]
        maps = sample.gt_fields.heatmaps[None]
        predicted, = model.add_pred_to_datasample(
            model.head.decode(maps), None, [sample])
        info = dataset.get_data_info(index)
        error = np.linalg.norm(
            predicted.pred_instances.keypoints - info['keypoints'], axis=-1)
        center, scale = sample.input_center, sample.input_scale
        counted = (info['keypoints_visible'] > 0) & np.all(
            np.abs(info['keypoints'] - center) < scale / 2, axis=-1)
        in_image += error[counted].tolist()
        in_input += (error[counted] * SIZE[0] / scale[0]).tolist()
    result = quantization(toy_coco / VAL, input_size=SIZE, device='cpu')
    found = row(result, name=kind)
    assert result['people'] == len(dataset)
    assert result['points'] == len(in_image) > 30
    assert found['mean'] == pytest.approx(np.mean(in_input), abs=1e-4)
    assert found['mean_image'] == pytest.approx(np.mean(in_image), abs=1e-4)


def test_points_outside_are_left_out(toy_coco, tmp_path):
    content = json.loads((toy_coco / VAL).read_text())
    person = content['annotations'][0]
    person['bbox'] = [100, 100, 40, 50]
    person['keypoints'] = 15 * [0] + [120, 120, 2, 900, 120, 1] + 30 * [0]
    person['num_keypoints'] = 2
    content['annotations'] = [person]
    (tmp_path / 'ann.json').write_text(json.dumps(content))
    result = quantization(tmp_path / 'ann.json', device='cpu')
    assert (result['points'], result['outside']) == (1, 1)
    assert '1 more lie outside the crops' in format_quantization(result)


def test_people_as_the_data_set_loads_them(toy_coco, capsys):
    dataset = DATASETS.build(
        dict(type='CocoDataset', data_root=str(toy_coco), ann_file=VAL))
    capsys.readouterr()
    people = annotated_people(toy_coco / VAL)
    assert len(people) == len(dataset)
    for index, person in enumerate(people):
        info = dataset.get_data_info(index)
        for key in ('bbox', 'keypoints', 'keypoints_visible'):
            np.testing.assert_array_equal(person[key], info[key])
    assert capsys.readouterr().out == ''


def test_codec_of_a_config():
    config = Config.fromfile(next((CONFIGS / 'demo').glob('*.py')))
    config.model.head.decoder.refine = 'shift'
    result = quantization(random=50, config=config, device='cpu')
    assert result['input_size'] == (96, 128)
    found = result['rows'][-1]
    assert found['name'] == 'td-srpose_res18_1xb16-5e_toy-128x96'
    same = row(result, name='SRHeatmap unbiased', cell=1, refine='shift')
    assert found['grid'] == (96, 128)
    # Another sigma, but the same neighbours are higher.
    assert found['mean'] == pytest.approx(same['mean'], abs=1e-6)


def test_seed():
    means = [
        quantization(random=20, input_size=SIZE, seed=seed,
                     device='cpu')['rows'][0]['mean'] for seed in (1, 1, 2)
    ]
    assert means[0] == means[1] != means[2]


def test_table(measured):
    title, _, header, _, *lines = format_quantization(measured).splitlines()
    assert title == ('1500 keypoints (uniform, 32 px from the border), input '
                     '96x128 px')
    assert 'mean px' in header and len(lines) == len(measured['rows']) == 36
    cells = [cell.strip() for cell in lines[0].split('|')[1:-1]]
    first = measured['rows'][0]
    assert cells[:4] == [
        'MSRAHeatmap', '24x32', 'shift', f'{first["mean"]:.4f}'
    ]


def test_picture(measured, tmp_path):
    draw_quantization(measured, tmp_path / 'q.png')
    image = cv2.imread(str(tmp_path / 'q.png'))
    assert image.shape[1] > 1000 and image.std() > 20


def test_tool(toy_coco, tmp_path):
    output = mim('run', 'srpose_mm', 'quantization', toy_coco / VAL,
                 '--input-size', 96, 128, '--out-dir', 'out', cwd=tmp_path)
    result = json.loads((tmp_path / 'out/quantization.json').read_text())
    assert f'{result["points"]} keypoints ({(toy_coco / VAL).name})' in output
    for found in result['rows']:
        assert f'| {found["mean"]:.4f} |' in re.sub(' +', ' ', output)
    assert (tmp_path / 'out/quantization.png').stat().st_size > 10000


@pytest.mark.parametrize('arguments, message', [
    (dict(), 'expected one of ann_file and random, got None and None'),
    (dict(ann_file='a.json', random=3), "got 'a.json' and 3"),
    (dict(random=0), 'expected random to be positive, got 0'),
    (dict(random=3, input_size=(64, 96)), 'above 64 px .*got .64, 96'),
    (dict(random=3, input_size=(100, 128)), 'multiples of 8.*100, 128'),
    (dict(
        random=3,
        input_size=(192, 256),
        config=next((CONFIGS / 'demo').glob('*.py'))),
     r'to be \(96, 128\), that of the config.*got \(192, 256\)'),
    (dict(
        random=3,
        config=CONFIGS / 'body_2d_keypoint/sr_head/coco/'
        'ae-sr_res50_8xb24-300e_coco-512x512.py'),
     'expected a top-down codec .*got SRAssociativeEmbedding'),
])
def test_bad_arguments(arguments, message):
    with pytest.raises(ValueError, match=f'quantization: .*{message}'):
        quantization(**arguments)


def test_no_such_file(tmp_path):
    with pytest.raises(FileNotFoundError, match='ann_file .*nothing.json'):
        quantization(tmp_path / 'nothing.json')


def test_nobody_annotated(toy_coco, tmp_path):
    content = json.loads((toy_coco / VAL).read_text())
    content['annotations'] = []
    (tmp_path / 'empty.json').write_text(json.dumps(content))
    with pytest.raises(ValueError, match='people with keypoints, got none'):
        quantization(tmp_path / 'empty.json')


@pytest.mark.parametrize('codec', [MSRAHeatmap, UDPHeatmap])
def test_many_points_are_decoded_as_few(codec):
    """UDPHeatmap numbers all cells in float32, which ends at 2**24."""
    codec = codec(input_size=(256, 256), heatmap_size=(64, 64), sigma=2)
    points = np.random.default_rng(0).uniform(
        40, 216, (6000, 2)).astype(np.float32)
    many, scores = round_trip(codec, points, 'cpu')
    few, _ = round_trip(codec, points[-10:], 'cpu')
    np.testing.assert_allclose(many[-10:], few, atol=1e-3)
    assert scores.shape == (6000, ) and scores.min() > 0.9
