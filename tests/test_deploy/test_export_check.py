"""What counts as a difference between a file and its model."""
import pytest
import torch
from mmpose.registry import MODELS

from srpose_mm.deploy import Exported, ExportMismatch
from srpose_mm.deploy.check import differences
from srpose_mm.deploy.reference import Expected, Reference

from ..support.export_models import (
    SR_HEATMAP,
    heatmaps_as_images,
    small_config,
)


def expected(**outputs):
    steady = torch.tensor([[True, True, False]])
    return Expected(torch.zeros(1, 3, 4, 4), outputs, steady)


def test_maps_as_a_part_of_the_highest_value():
    maps = torch.tensor([[[[0., -200.], [50., 100.]]]])
    found = differences(expected(heatmaps=maps), [maps + 0.01], 'export')
    assert found == dict(heatmaps=pytest.approx(0.01 / 200, rel=1e-3))
    with pytest.raises(ExportMismatch, match='export: expected heatmaps .*got '
                       'a difference of 0.00015 with 1 images'):
        differences(expected(heatmaps=maps), [maps + 0.03], 'export')
    # Small values get no more room.
    with pytest.raises(ExportMismatch, match='difference of 0.00015'):
        differences(expected(heatmaps=1e-6 * maps), [1e-6 * (maps + 0.03)], '')
    with pytest.raises(ExportMismatch, match='difference of nan'):
        differences(expected(heatmaps=maps), [maps * float('nan')], '')


def test_keypoints_in_px_where_they_are_steady():
    points = torch.rand(1, 3, 2) * 100
    other = points.clone()
    other[0, 2] += 50
    other[0, 1, 0] += 0.005
    found = differences(expected(keypoints=points), [other], 'export')
    assert found['keypoints'] == pytest.approx(0.005, rel=0.01)
    other[0, 1, 0] += 0.01
    with pytest.raises(ExportMismatch, match='to 0.01 px, got a difference of '
                       '0.015'):
        differences(expected(keypoints=points), [other], 'export')


def test_shape_and_type():
    maps = torch.rand(1, 2, 4, 4)
    for other in (maps[:, :1], maps.double()):
        with pytest.raises(ExportMismatch, match='expected heatmaps .*shape '
                           r'\(1, 2, 4, 4\) and torch.float32, got \(1'):
            differences(expected(heatmaps=maps), [other], 'export')


def test_keypoints_without_a_clear_peak_are_not_steady():
    model = MODELS.build(
        heatmaps_as_images(dict(SR_HEATMAP, refine='none')).model)
    reference = Reference(model, None, None, False, 'export')
    heatmaps = torch.zeros(1, 3, 96, 64)
    heatmaps[0, 0, 20, 20] = 1
    heatmaps[0, 1, 20, 20] = 1
    heatmaps[0, 1, 40, 40] = 1 - 1e-6
    keypoints = reference._decode(heatmaps)[0]
    steady = reference._steady(heatmaps, keypoints,
                               torch.Generator().manual_seed(0))
    # The last map is zero: it has no positive value, whatever the noise.
    assert steady.tolist() == [[True, False, True]]


def test_images_are_drawn_anew_but_the_same():
    model = MODELS.build(small_config('sr_head').model).eval()
    reference = Reference(model, None, False, True, 'export')
    one, again = reference.expect(3), reference.expect(3)
    assert torch.equal(one.inputs, again.inputs)
    assert one.inputs.shape == (3, 3, 96, 64) and one.inputs.max() > 250
    assert not torch.equal(one.inputs[0], reference.expect(1).inputs[0])


def test_report(tmp_path):
    file = tmp_path / 'model.onnx'
    file.write_bytes(bytes(2500000))
    report = Exported(
        file=file,
        shapes=dict(inputs=(3, 96, 64), keypoints=(17, 2), scores=(17, )),
        differences=dict(keypoints=2e-3, scores=3e-7),
        compared=(66, 68),
        latency=dict(PyTorch=20., onnxruntime=10.25)).report()
    lines = report.splitlines()
    assert [cell.strip() for cell in lines[3].split('|')[1:-1]] == [
        'keypoints', '(B, 17, 2)', '2.0e-03 px']
    assert '(B, 17)' in lines[4] and '3.0e-07 of the highest' in lines[4]
    assert lines[5:] == [
        'keypoints compared: 66 of 68, others have no clear peak',
        'one image: PyTorch 20.0 ms, onnxruntime 10.2 ms',
        f'{file}: 2.5 MB']
