"""Write a data set of 2x2 mosaics of photographs, four instances each.

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
    """Draw an image into a cell and return its annotation there.

    Args:
        canvas: The mosaic, changed in place.
        image: An image with one instance.
        annotation: The annotation of the instance.
        corner: The (x, y) of the cell's upper left corner, in px.
    """
    height, width = image.shape[:2]
    scale = CELL / max(height, width)
    width, height = round(width * scale), round(height * scale)
    left = corner[0] + (CELL - width) // 2
    top = corner[1] + (CELL - height) // 2
    canvas[top:top + height, left:left + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA)
    keypoints = np.array(annotation['keypoints'], float).reshape(-1, 3)
    labelled = keypoints[:, 2] > 0
    keypoints[labelled, :2] = keypoints[labelled, :2] * scale + (left, top)
    x, y, w, h = np.array(annotation['bbox']) * scale
    return dict(
        annotation,
        keypoints=keypoints.round(2).ravel().tolist(),
        bbox=[round(float(v), 2) for v in (x + left, y + top, w, h)],
        area=annotation['area'] * scale**2)


if __name__ == '__main__':
    main()
