"""Selected keypoints, and files that are used without MMPose."""
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
import torch
from mmengine.structures import InstanceData
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import KEYPOINT_CODECS
from mmpose.structures import PoseDataSample

from srpose_mm.deploy import export_model

from ..support import run_onnx
from ..support.export_models import (
    MEAN,
    PREPROCESSOR,
    SR_HEATMAP,
    STD,
    heatmaps_as_images,
    save_randomized,
    small_config,
)

NAMES = ('beak', 'wing', 'tail')
BIRD = dict(
    dataset_name='bird',
    keypoint_info={
        i: dict(name=name, id=i, color=[0, 0, 0], type='', swap='')
        for i, name in enumerate(NAMES)
    },
    skeleton_info={},
    joint_weights=[1.] * 3,
    sigmas=[0.1] * 3)
BOX = (60, 40, 170, 160)
# Points in the box, in image px.
POINTS = np.array([[90.3, 60.6], [140.1, 130.8], [71.4, 149.2]])
GRAY = dict(type='PoseDataPreprocessor', mean=[100.], std=[50.])


def bird_config(use_udp=False, padding=1.1, gray=False, **test_cfg):
    """Return a config whose heatmaps are the channels of the crop."""
    codec = dict(SR_HEATMAP, use_udp=use_udp, refine='shift')
    cfg = heatmaps_as_images(codec, keypoints=1 if gray else 3)
    cfg.model.data_preprocessor = GRAY if gray else PREPROCESSOR
    cfg.model.test_cfg = dict(flip_test=False, **test_cfg)
    if gray:
        cfg.model.backbone.in_channels = 1
    pipeline = [
        dict(
            type='LoadImage',
            color_type='grayscale' if gray else 'color'),
        dict(type='GetBBoxCenterScale', padding=padding),
        dict(type='TopdownAffine', input_size=(64, 96), use_udp=use_udp),
        dict(type='PackPoseInputs')
    ]
    cfg.test_dataloader = dict(
        dataset=dict(type='CocoDataset', pipeline=pipeline))
    cfg.train_dataloader = dict(
        dataset=dict(type='CocoDataset', metainfo=BIRD))
    return cfg


def blobs():
    """Draw a Gaussian at each point, the first in the red channel."""
    rows, columns = np.mgrid[:200, :240]
    squares = ((columns[..., None] - POINTS[:, 0])**2 +
               (rows[..., None] - POINTS[:, 1])**2)
    return (250 * np.exp(-squares / 2 / 7**2)).round().astype(
        np.uint8)[..., ::-1]


@pytest.mark.parametrize('normalize', [False, True])
@pytest.mark.parametrize('settings', [
    dict(), dict(use_udp=True, padding=1.25),
    dict(output_keypoint_indices=[2, 0])
], ids=['plain', 'udp', 'selected'])
def test_onnxruntime_alone_finds_the_keypoints(settings, normalize, tmp_path):
    cfg, out = bird_config(**settings), tmp_path / 'model.onnx'
    export_model(cfg, out, normalize=normalize)
    model = init_model(cfg, device='cpu')
    sample, = inference_topdown(model, blobs(), np.array([BOX]))
    keypoints, scores = run_onnx.predict(str(out), blobs(), BOX)
    np.testing.assert_allclose(
        keypoints, sample.pred_instances.keypoints[0], atol=1e-3)
    np.testing.assert_allclose(
        scores, sample.pred_instances.keypoint_scores[0], rtol=1e-3)
    selected = settings.get('output_keypoint_indices', [0, 1, 2])
    # A quarter of an input px is the error of the refinement.
    assert np.abs(keypoints - POINTS[selected]).max() < 0.5 * 165 / 96


def test_gray_images(tmp_path):
    cfg, out = bird_config(gray=True), tmp_path / 'model.onnx'
    export_model(cfg, out)
    image = np.ascontiguousarray(blobs()[..., 2])
    model = init_model(cfg, device='cpu')
    sample, = inference_topdown(model, image, np.array([BOX]))
    keypoints, _ = run_onnx.predict(str(out), image, BOX)
    np.testing.assert_allclose(
        keypoints, sample.pred_instances.keypoints[0], atol=1e-3)
    assert facts_of(out)['channel_order'] == 'GRAY'


def test_the_script_needs_neither_mmpose_nor_torch(tmp_path):
    export_model(bird_config(), tmp_path / 'model.onnx')
    cv2.imwrite(str(tmp_path / 'image.png'), blobs())
    code = (
        'import json, sys, cv2, run_onnx; '
        'k, _ = run_onnx.predict("model.onnx", cv2.imread("image.png"), '
        f'{BOX}); print(json.dumps(k.tolist())); '
        'assert not {"mmpose", "srpose_mm", "torch"} & set(sys.modules)')
    result = subprocess.run(
        [sys.executable, '-c', code],
        check=True,
        cwd=tmp_path,
        env=dict(PYTHONPATH=str(Path(run_onnx.__file__).parent)),
        stdout=subprocess.PIPE)
    keypoints = np.array(json.loads(result.stdout))
    assert np.abs(keypoints - POINTS).max() < 1


def facts_of(path):
    """Return the metadata of an ONNX file."""
    return {
        item.key: json.loads(item.value)
        for item in onnx.load(str(path)).metadata_props
    }


def test_metadata(tmp_path):
    out = tmp_path / 'model.onnx'
    export_model(bird_config(output_keypoint_indices=[2, 0]), out)
    model = onnx.load(str(out))
    assert facts_of(out) == dict(
        how_to_use=model.doc_string,
        input_size=[64, 96],
        box='instance',
        box_padding=1.1,
        udp=False,
        channel_order='RGB',
        mean=MEAN,
        std=STD,
        axes=dict(
            inputs=['batch', 'channel', 'row', 'column'],
            keypoints=['batch', 'keypoint', 'xy'],
            scores=['batch', 'keypoint']),
        keypoint_names=['tail', 'beak'])
    assert model.producer_name == 'srpose_mm'
    assert 'image px = input px * s / input_size + c - s / 2' in (
        model.doc_string)
    names = [value.name for value in model.graph.output]
    assert names == ['keypoints', 'scores']
    for value in (*model.graph.input, *model.graph.output):
        assert value.type.tensor_type.shape.dim[0].dim_param == 'batch'


def test_metadata_of_torchscript(tmp_path):
    out, extra = tmp_path / 'model.pt', {'metadata.json': ''}
    export_model(bird_config(), out, format='torchscript', normalize=True)
    torch.jit.load(str(out), _extra_files=extra)
    facts = json.loads(extra['metadata.json'])
    assert facts['keypoint_names'] == list(NAMES)
    # The preprocessor is in the file.
    assert facts['channel_order'] == 'BGR'
    assert (facts['mean'], facts['std']) == ([0.] * 3, [1.] * 3)
    assert 'channel_order' in facts['how_to_use']


def test_names_of_the_checkpoint_come_first(tmp_path):
    cfg, weights = small_config('sr_head'), tmp_path / 'weights.pth'
    model = save_randomized(cfg, weights)
    names = {i: f'point {i}' for i in range(17)}
    meta = dict(dataset_meta=dict(keypoint_id2name=names))
    torch.save(dict(state_dict=model.state_dict(), meta=meta), weights)
    export_model(cfg, tmp_path / 'model.onnx', weights)
    found = facts_of(tmp_path / 'model.onnx')['keypoint_names']
    assert found == list(names.values())


def test_names_of_another_number_of_keypoints_are_left_out(tmp_path):
    cfg = bird_config()
    cfg.pop('train_dataloader')  # MMPose then uses the names of COCO
    export_model(cfg, tmp_path / 'model.onnx')
    assert 'keypoint_names' not in facts_of(tmp_path / 'model.onnx')


def test_bottom_up_metadata(tmp_path):
    out = tmp_path / 'model.onnx'
    export_model(small_config('bottom_up'), out)
    facts = facts_of(out)
    assert facts['box'] == 'image' and facts['box_padding'] == 1
    assert facts['axes']['tags'] == ['batch', 'tag', 'row', 'column']
    assert facts['cell_size'] == [1, 1]
    assert len(facts['keypoint_names']) == 17


@pytest.mark.parametrize('codec', [
    dict(type='MSRAHeatmap', heatmap_size=(16, 24), sigma=2),
    dict(type='UDPHeatmap', heatmap_size=(16, 24), sigma=2),
    dict(type='SRHeatmap', refine='none'),
    dict(type='SRHeatmap', heatmap_size=(32, 48), refine='none', use_udp=True),
], ids=lambda codec: codec['type'])
def test_cell_size_is_that_of_the_codec(codec, tmp_path):
    codec = dict(codec, input_size=(64, 96))
    width, height = codec.get('heatmap_size', (64, 96))
    cfg, out = small_config('stock'), tmp_path / 'model.onnx'
    cfg.model.head.decoder = codec
    if width == 32:
        cfg.model.head.deconv_out_channels = (8, ) * 4
        cfg.model.head.deconv_kernel_sizes = (4, ) * 4
    if width == 64:
        cfg.model.head.deconv_out_channels = (8, ) * 5
        cfg.model.head.deconv_kernel_sizes = (4, ) * 5
    export_model(cfg, out, decode=False)
    heatmaps = np.zeros((1, height, width), dtype=np.float32)
    heatmaps[0, 17, 9] = 1
    keypoints, _ = KEYPOINT_CODECS.build(codec).decode(heatmaps)
    np.testing.assert_allclose(
        keypoints[0, 0], np.array([9, 17]) * facts_of(out)['cell_size'],
        rtol=1e-5)


def test_the_way_back_of_bottom_up_udp(tmp_path):
    """The crop's factor is (input_size - 1) / s, that of the way back s."""
    cfg, out = small_config('bottom_up'), tmp_path / 'model.onnx'
    cfg.model.head.decoder.use_udp = True
    cfg.test_dataloader = dict(dataset=dict(pipeline=[dict(
        type='BottomupResize', input_size=(64, 96), use_udp=True)]))
    export_model(cfg, out)
    facts, s = facts_of(out), np.array([640, 960])
    assert facts['udp']
    cells = np.array([640, 960]) / s * (np.array([64, 96]) - 1)
    back = cells * facts['cell_size'] * s / facts['input_size']
    np.testing.assert_allclose(back, [640, 960])


@pytest.mark.parametrize('decode', [True, False])
def test_selected_keypoints_are_those_of_predict(decode, tmp_path):
    cfg = small_config('sr_head')
    selected = [0, 5, 6, 11]
    cfg.model.test_cfg = dict(
        output_keypoint_indices=selected, output_heatmaps=not decode)
    model = save_randomized(cfg, tmp_path / 'weights.pth')
    out = tmp_path / 'model.pt'
    export_model(
        cfg,
        out,
        tmp_path / 'weights.pth',
        format='torchscript',
        decode=decode)
    images = torch.randn(1, 3, 96, 64)
    sample = PoseDataSample(
        metainfo=dict(
            input_size=(64, 96),
            input_center=np.array([32, 48]),
            input_scale=np.array([64, 96])))
    sample.gt_instances = InstanceData(
        bboxes=np.ones((1, 4)), bbox_scores=np.ones(1))
    with torch.no_grad():
        sample, = model.predict(images, [sample])
    outputs = torch.jit.load(str(out))(images)
    if decode:
        keypoints, scores = outputs
        assert keypoints.shape == (1, 4, 2)
        np.testing.assert_allclose(
            scores[0], sample.pred_instances.keypoint_scores[0], rtol=1e-4)
        np.testing.assert_allclose(
            keypoints[0], sample.pred_instances.keypoints[0], atol=1e-3)
    else:
        expected = sample.pred_fields.heatmaps[None]
        assert expected.shape == (1, 4, 96, 64)
        torch.testing.assert_close(outputs[0], expected, rtol=1e-3, atol=1e-5)


def test_maps_that_are_not_one_per_keypoint_are_not_selected(tmp_path):
    """As in MMPose, which predicts from all maps and selects then."""
    cfg = heatmaps_as_images(
        dict(
            type='UDPHeatmap',
            input_size=(64, 96),
            heatmap_size=(64, 96),
            heatmap_type='combined'))
    cfg.model.test_cfg = dict(output_keypoint_indices=[0])
    result = export_model(cfg, tmp_path / 'model.onnx')
    assert result.shapes['heatmaps'] == (3, 96, 64)
