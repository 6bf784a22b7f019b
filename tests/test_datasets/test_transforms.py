"""Crowds and instances without keypoints are masked, in every notation."""
import cv2
import numpy as np
import pytest
from mmengine.dataset import Compose
from mmpose.datasets import CocoDataset
from mmpose.registry import TRANSFORMS
from pycocotools import mask as coco_mask
from pycocotools.coco import COCO

SHAPE = (48, 64)  # (h, w)
STAR = [8, 6, 40, 10, 52, 30, 30, 22, 12, 40]


def region():
    """Return the pixels of ``STAR``, uint8 in shape (h, w)."""
    return coco_mask.decode(coco_mask.frPyObjects([STAR], *SHAPE))[..., 0]


def run_lengths(pixels):
    """Encode pixels by columns: lengths of 0s, 1s, 0s ..., from 0s on."""
    flat = pixels.flatten(order='F')
    ends = np.flatnonzero(np.diff(flat, prepend=0, append=-1))
    return np.diff(ends, prepend=0).tolist()


def segmentation(notation):
    if notation == 'polygon':
        return [STAR]
    if notation == 'uncompressed':
        return dict(size=list(SHAPE), counts=run_lengths(region()))
    rle = coco_mask.encode(np.asfortranarray(region()))
    if notation == 'text':  # as read from JSON
        rle['counts'] = rle['counts'].decode()
    return rle


def mask_of(segs, **results):
    transform = TRANSFORMS.build(dict(type='BottomupGetValidMask'))
    results = dict(
        invalid_segs=segs, img_shape=SHAPE, input_size=SHAPE[::-1], **results)
    return transform(results)['heatmap_mask']


NOTATIONS = ['polygon', 'uncompressed', 'text', 'bytes']


@pytest.mark.parametrize('notation', NOTATIONS)
def test_notations(notation):
    mask = mask_of([None, segmentation(notation), []])
    np.testing.assert_array_equal(mask, region() == 0)


@pytest.mark.parametrize('notation', NOTATIONS)
def test_follows_the_image(notation):
    """Mask what the augmented image shows of the region, painted white."""
    pipeline = Compose([
        dict(
            type='BottomupRandomAffine',
            input_size=(96, 64),
            rotate_factor=180.,
            distribution='uniform'),
        dict(type='RandomFlip', direction='horizontal', prob=0.5),
        dict(type='BottomupGetValidMask'),
    ])
    flips = 0
    for _ in range(8):
        image = np.repeat(region()[..., None] * 255, 3, axis=-1)
        results = pipeline(
            dict(
                img=image,
                img_shape=SHAPE,
                flip_indices=[0],
                invalid_segs=[segmentation(notation)]))
        white = results['img'][..., 0] > 127
        flips += results['flip']
        assert white.sum() > 100
        visible = cv2.warpAffine(
            np.ones(SHAPE, np.uint8), results['warp_mat'], (96, 64)) > 0
        if results['flip']:
            visible = visible[:, ::-1]
        # Image and mask are interpolated in different precision at edges.
        wrong = results['heatmap_mask'] != (visible & ~white)
        assert wrong.mean() < 0.01
    assert 0 < flips < 8


def test_rle_of_another_image():
    rle = dict(size=[8, 8], counts=[64])
    with pytest.raises(ValueError, match=r'BottomupGetValidMask: expected the '
                       r'RLE of .* \(48, 64\), got one of \(8, 8\); correct'):
        mask_of([rle])


def test_every_crowd_of_coco_mini(shared_data):
    """All pixels that pycocotools decodes of crowds and unlabelled people."""
    root = shared_data('coco_mini')
    path = str(root / 'person_keypoints.json')
    dataset = CocoDataset(
        ann_file=path, data_mode='bottomup', data_prefix=dict(img=''))
    coco, crowds = COCO(path), []
    for index in range(len(dataset)):
        sample = dataset.get_data_info(index)
        info = coco.imgs[sample['img_id']]
        shape = info['height'], info['width']
        mask = TRANSFORMS.build(dict(type='BottomupGetValidMask'))(
            dict(sample, img_shape=shape, input_size=shape[::-1]))
        expected, crowd = np.zeros(shape, bool), np.zeros(shape, bool)
        for annotation in coco.imgToAnns[sample['img_id']]:
            if annotation['iscrowd'] or not annotation['num_keypoints']:
                expected |= coco.annToMask(annotation) > 0
            if annotation['iscrowd']:
                crowd |= coco.annToMask(annotation) > 0
        np.testing.assert_array_equal(mask['heatmap_mask'], ~expected)
        if crowd.any():
            crowds.append(int((crowd & ~mask['heatmap_mask']).sum()))
    assert sorted(crowds) == [860, 16573, 39683, 40661, 43588]
