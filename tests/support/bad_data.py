"""Small datasets with one fault each, and the effects of the fault."""
import json
from typing import Any, Callable, NamedTuple, Optional, Tuple

import numpy as np
import torch
from mmengine.config import Config
from mmpose.datasets.datasets import CocoDataset
from mmpose.registry import DATASETS
from PIL import Image

from srpose_mm.configs import MMPOSE_MIM

STOPS, SKIPPED, WEIGHTLESS = 'stops', 'skipped', 'weight 0'
KEPT, WRONG = 'kept', 'wrong'
NAN, INF = float('nan'), float('inf')
FILE = 'annotations.json'
SCHEMES = ('topdown', 'bottomup')
TARGETS = ('heatmaps', 'keypoints')
COCO_INFO = Config.fromfile(
    MMPOSE_MIM / 'configs/_base_/datasets/coco.py').dataset_info.to_dict()


class Row(NamedTuple):
    """A fault in annotation 10, of image 1, or in that image.

    Attributes:
        change: Makes the fault in the content of the annotation file or in
            the image file.
        kinds: Kinds of fault that check_dataset reports.
        effects: Effects top-down and bottom-up, or ``None``.
        message: Pattern of the message of check_dataset.
        weights: Sum of the 17 keypoint weights that annotation 10 keeps,
            top-down and bottom-up.
        errors: Patterns of MMPose's errors, top-down and bottom-up.
    """

    change: Callable[[dict, Any], Any]
    kinds: Tuple[str, ...]
    effects: Tuple[Optional[str], Optional[str]]
    message: str
    weights: Tuple[Optional[float], Optional[float]] = (None, None)
    errors: Tuple[str, str] = ('', '')


def valid_content(folder):
    """Write two images of 64x64 px; return annotations of 3 instances."""
    rng = np.random.default_rng(0)
    names = CocoDataset(
        metainfo=COCO_INFO, lazy_init=True).metainfo['keypoint_id2name']
    images = [
        dict(id=i, file_name=f'{i}.png', width=64, height=64) for i in (1, 2)
    ]
    annotations = []
    for number in (10, 11, 20):
        points = np.full((17, 3), 2.)
        points[:, :2] = rng.uniform(20, 36, (17, 2)).round(1)
        annotations.append(
            dict(
                id=number,
                image_id=number // 10,
                category_id=1,
                iscrowd=0,
                area=400,
                bbox=[16, 8, 28, 32],
                num_keypoints=17,
                keypoints=points.ravel().tolist(),
                segmentation=[[16, 8, 44, 8, 44, 40, 16, 40]]))
    for image in images:
        pixels = rng.integers(0, 255, (64, 64, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / image['file_name'])
    return dict(
        images=images,
        annotations=annotations,
        categories=[dict(id=1, name='person', keypoints=list(names.values()))])


def write_faulty(folder, row):
    """Write a dataset with the fault of a row."""
    content = valid_content(folder)
    replaced = row.change(content, folder)
    write(folder, content if replaced is None else replaced)


def write(folder, content, name=FILE):
    if not isinstance(content, str):
        content = json.dumps(content)
    (folder / name).write_text(content)


def instance(**values):
    """Change annotation 10; ``...`` removes a key."""
    return _entry('annotations', values)


def image(**values):
    """Change the entry of image 1."""
    return _entry('images', values)


def nose(*values, **others):

    def change(content, folder):
        content['annotations'][0]['keypoints'][:3] = values
        content['annotations'][0].update(others)

    return change


def keypoints(number, first=None, **others):
    """Give annotation 10 another number of values by repetition."""

    def change(content, folder):
        entry = content['annotations'][0]
        values = first or entry['keypoints']
        entry['keypoints'] = (values * 20)[:number]
        entry.update(others)

    return change


def normalized_keypoints(**others):
    """Divide the coordinates of annotation 10 by the size of the image."""

    def change(content, folder):
        entry = content['annotations'][0]
        points = np.reshape(entry['keypoints'], (17, 3)) / [64, 64, 1]
        entry.update(keypoints=points.ravel().tolist(), **others)

    return change


def picture(*shape, mode=None, **recorded):
    """Replace image 1."""

    def change(content, folder):
        pixels = np.full(shape, 90, dtype=np.uint8)
        Image.fromarray(pixels, mode).save(folder / '1.png')
        content['images'][0].update(recorded)

    return change


def contents(edit):
    """Change the bytes of image 1."""

    def change(content, folder):
        path = folder / '1.png'
        data = edit(path.read_bytes())
        path.unlink()
        if data is not None:
            path.write_bytes(data)

    return change


def _entry(key, values):

    def change(content, folder):
        for name, value in values.items():
            if value is ...:
                del content[key][0][name]
            else:
                content[key][0][name] = value

    return change


def both(effect):
    return effect, effect


def stops(change, kind, message, *errors):
    return Row(change, (kind, ), both(STOPS), message,
               errors=(errors[0], errors[-1]))


def odd_box(message, change, kind='box', effect=SKIPPED, weight=None):
    return Row(change, (kind, ), (effect, KEPT), message, (weight, 17))


def odd_nose(kind, effect, message, weight, *values, **others):
    return Row(
        nose(*values, **others), (kind, ), both(effect), message, both(weight))


def pipeline(scheme, target, flip=1.):
    """Return stock transforms around our codec, without randomness."""
    if scheme == 'topdown':
        codec = dict(type='SRHeatmap', input_size=(48, 64), sigma=2)
        crop = [
            dict(type='GetBBoxCenterScale'),
            dict(type='RandomFlip', prob=flip),
            dict(type='TopdownAffine', input_size=(48, 64))
        ]
        after = []
    else:
        codec = dict(
            type='SRAssociativeEmbedding', input_size=(64, 64), sigma=2)
        crop = [
            dict(
                type='BottomupRandomAffine',
                input_size=(64, 64),
                shift_prob=0,
                scale_prob=0,
                rotate_prob=0)
        ]
        after = [dict(type='BottomupGetHeatmapMask')]
    return [
        dict(type='LoadImage'), *crop,
        dict(type='GenerateTarget', encoder=dict(codec, target=target)),
        *after,
        dict(type='PackPoseInputs')
    ]


def build(folder, scheme='topdown', target='keypoints', flip=1., **kwargs):
    # Reading this file from disk would take most of the time of a test.
    info = {} if 'type' in kwargs else dict(metainfo=COCO_INFO)
    return DATASETS.build({
        'type': 'CocoDataset',
        **info,
        'data_root': str(folder),
        'ann_file': FILE,
        'data_prefix': dict(img=''),
        'data_mode': scheme,
        'serialize_data': False,  # collects garbage, half a second a test
        'pipeline': pipeline(scheme, target, flip),
        **kwargs
    })


def weights_left(dataset):
    """Return the sum of weights by annotation id; targets are finite."""
    left = {}
    for index in range(len(dataset)):
        sample = dataset[index]['data_samples']
        labels = dict(sample.gt_instance_labels.items())
        if 'gt_fields' in sample:
            labels.update(sample.gt_fields.items())
        labels.pop('encoder')  # no tensor
        for name, values in labels.items():
            assert torch.isfinite(values.float()).all(), name
        ids = np.atleast_1d(sample.metainfo['id'])
        for key, row in zip(ids, labels['keypoint_weights']):
            left[int(key)] = row.sum().item()
    return left
