"""Write a dataset of 2x2 mosaics of photographs, four instances each.

Each photograph is cropped around its instance as by a top-down pipeline.

Example:
    python -m lab.experiments.lspet_mosaic.mosaics data/lspet \\
        data/lspet_mosaic
"""
import argparse
import json
from pathlib import Path

import cv2
import numpy as np
from mmengine.utils import track_iter_progress

CELL = 160  # px
GRAY = 127
PADDING = 1.25  # size of a crop in sizes of the bounding box
# Orders of the training images. The validation images have one.
ROUNDS = dict(train=2, val=1)


def main(argv=None):
    """Run the command-line tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('source', type=Path, help='folder of the photographs')
    parser.add_argument('out', type=Path, help='folder to write')
    args = parser.parse_args(argv)
    (args.out / 'images').mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(0)
    for split, rounds in ROUNDS.items():
        write_split(args.source, args.out, split, rounds, rng)


def write_split(source: Path, out: Path, split: str, rounds: int,
                rng: np.random.Generator) -> None:
    """Write the mosaics of a split and their annotations."""
    data = json.loads((source / f'{split}.json').read_text())
    images = {image['id']: image for image in data['images']}
    order = np.concatenate([
        rng.permutation(len(data['annotations'])) for _ in range(rounds)])
    groups = order[:len(order) // 4 * 4].reshape(-1, 4)
    mosaics, annotations = [], []
    for number, group in enumerate(track_iter_progress(groups.tolist()), 1):
        canvas = np.full((2 * CELL, 2 * CELL, 3), GRAY, np.uint8)
        name = f'{split}_{number:05d}.jpg'
        for cell, index in enumerate(group):
            annotation = data['annotations'][index]
            file = images[annotation['image_id']]['file_name']
            moved = paste(
                canvas, cv2.imread(str(source / 'images' / file)), annotation,
                (cell % 2 * CELL, cell // 2 * CELL))
            moved.update(id=len(annotations) + 1, image_id=number)
            annotations.append(moved)
        cv2.imwrite(str(out / 'images' / name), canvas)
        mosaics.append(
            dict(
                id=number,
                file_name=name,
                width=2 * CELL,
                height=2 * CELL,
                crowdIndex=0.))
    (out / f'{split}.json').write_text(
        json.dumps(dict(data, images=mosaics, annotations=annotations)))


def paste(canvas: np.ndarray, image: np.ndarray, annotation: dict,
          corner: tuple) -> dict:
    """Draw the crop of an instance into a cell and move its annotation.

    Args:
        canvas: The mosaic, changed in place.
        image: An image with one instance.
        annotation: The annotation of the instance.
        corner: The (x, y) of the cell's upper left corner, in px.
    """
    x, y, w, h = np.array(annotation['bbox'])
    pad_x, pad_y = w * (PADDING - 1) / 2, h * (PADDING - 1) / 2
    left, top = (max(0, int(v)) for v in (x - pad_x, y - pad_y))
    image = image[top:int(np.ceil(y + h + pad_y)),
                  left:int(np.ceil(x + w + pad_x))]
    height, width = image.shape[:2]
    scale = CELL / max(height, width)
    width, height = round(width * scale), round(height * scale)
    start_x = corner[0] + (CELL - width) // 2
    start_y = corner[1] + (CELL - height) // 2
    canvas[start_y:start_y + height, start_x:start_x + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_LINEAR)
    shift = np.array([start_x - left * scale, start_y - top * scale])
    keypoints = np.array(annotation['keypoints'], float).reshape(-1, 3)
    labelled = keypoints[:, 2] > 0
    keypoints[labelled, :2] = keypoints[labelled, :2] * scale + shift
    box = np.array([x, y, w, h]) * scale + [*shift, 0, 0]
    return dict(
        annotation,
        keypoints=keypoints.round(2).ravel().tolist(),
        bbox=box.round(2).tolist(),
        area=annotation['area'] * scale**2)


if __name__ == '__main__':
    main()
