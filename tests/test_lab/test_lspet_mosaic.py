"""Mosaics of the bottom-up study."""
import json

import cv2
import numpy as np
import pytest

from lab.experiments.lspet_mosaic.mosaics import CELL, GRAY, main, paste


@pytest.mark.parametrize('corner', [(0, 0), (CELL, 0), (0, CELL)])
def test_annotation_moves_with_the_pixels(corner):
    """A bright square at each keypoint lies at the moved keypoint."""
    image = np.zeros((90, 120, 3), np.uint8)
    keypoints = [(40., 30., 2), (70., 60., 2), (0., 0., 0)]
    for x, y, visible in keypoints:
        if visible:
            image[int(y) - 1:int(y) + 2, int(x) - 1:int(x) + 2] = 255
    annotation = dict(
        keypoints=sum(map(list, keypoints), []), bbox=[30, 20, 50, 50],
        area=2500)
    canvas = np.full((2 * CELL, 2 * CELL, 3), GRAY, np.uint8)
    moved = paste(canvas, image, annotation, corner)
    points = np.reshape(moved['keypoints'], (-1, 3))
    assert points[2].tolist() == [0, 0, 0]
    number, _, _, centroids = cv2.connectedComponentsWithStats(
        (canvas[..., 0] > 200).astype(np.uint8))
    assert number == 3  # with the background
    order = np.lexsort(centroids[1:].T)
    # The crop is 1.25 times the box: from (23, 13) to (87, 77). OpenCV's
    # resize maps the centers of pixels.
    scale = CELL / 64
    np.testing.assert_allclose(
        centroids[1:][order], points[:2, :2] + (scale - 1) / 2, atol=0.3)
    x, y, w, h = moved['bbox']
    assert (x - corner[0], y - corner[1]) == (7 * scale, 7 * scale)
    assert w == h == 50 * scale
    assert moved['area'] == 2500 * scale**2


def test_four_instances_in_each_image(tmp_path):
    source = tmp_path / 'source'
    (source / 'images').mkdir(parents=True)
    cv2.imwrite(str(source / 'images/a.png'), np.zeros((50, 40, 3)))
    annotation = dict(
        image_id=1, keypoints=[20, 25, 2], bbox=[5, 5, 30, 40], area=1200)
    content = dict(
        images=[dict(id=1, file_name='a.png')],
        annotations=[dict(annotation, id=number) for number in range(9)],
        categories=[])
    for split in ('train', 'val'):
        (source / f'{split}.json').write_text(json.dumps(content))
    main([str(source), str(tmp_path / 'out')])
    for split, images in dict(train=4, val=2).items():
        written = json.loads((tmp_path / f'out/{split}.json').read_text())
        assert len(written['images']) == images
        owners = [each['image_id'] for each in written['annotations']]
        assert all(owners.count(image['id']) == 4
                   for image in written['images'])
        assert len({each['id'] for each in written['annotations']}) == len(
            owners)
