"""The toy dataset: files in the layout of COCO or CrowdPose."""
from pathlib import Path
from typing import List, Tuple, Union

import cv2
import mmcv
import mmengine
import numpy as np
from mmpose.datasets.datasets.utils import parse_pose_metainfo

from ..configs import MMPOSE_MIM
from ..console import progress
from ..datasets.utils import keypoint_names
from .scenes import Figure, draw_scene

# Image folders, annotation files and detections, where MMPose's configs
# expect them.
LAYOUTS = dict(
    coco=dict(
        train=('train2017', 'annotations/person_keypoints_train2017.json'),
        val=('val2017', 'annotations/person_keypoints_val2017.json'),
        detections='person_detection_results/'
        'COCO_val2017_detections_AP_H_56_person.json'),
    crowdpose=dict(
        train=('images', 'annotations/mmpose_crowdpose_trainval.json'),
        val=('images', 'annotations/mmpose_crowdpose_test.json'),
        detections='annotations/det_for_crowd_test_0.1_0.5.json'))
# Start of an annotation file, which a later toy dataset may replace.
INFO = dict(description='Figures drawn by srpose_mm')


def make_toy_dataset(out_dir: Union[str, Path],
                     layout: str = 'coco',
                     num_train: int = 800,
                     num_val: int = 100,
                     image_size: Tuple[int, int] = (320, 256),
                     max_figures: int = 3,
                     seed: int = 0) -> Path:
    """Draw a keypoint dataset of articulated figures.

    MMPose's configs of the real dataset run on it with another
    ``data_root``. The same arguments give the same files.

    Args:
        out_dir: The ``data_root`` to write.
        layout: ``'coco'`` (17 keypoints) or ``'crowdpose'`` (14 keypoints and
            a crowd index per image).
        num_train: Number of training images.
        num_val: Number of validation images.
        image_size: (width, height) of the images, in px.
        max_figures: Largest number of figures in an image.
        seed: Seed of the random generator.

    Returns:
        ``out_dir``.

    Raises:
        FileExistsError: If annotations that are not of a toy dataset would
            be replaced.
        ValueError: If ``layout`` is unknown or a number is not positive.
    """
    if layout not in LAYOUTS:
        raise ValueError(f'expected layout to be one of {tuple(LAYOUTS)}, got '
                         f'{layout!r}')
    numbers = num_train, num_val, max_figures, *image_size
    if min(numbers) < 1:
        raise ValueError('expected positive num_train, num_val, max_figures '
                         f'and image_size, got {numbers}')
    root, rng = Path(out_dir), np.random.default_rng(seed)
    path = MMPOSE_MIM / f'configs/_base_/datasets/{layout}.py'
    names = keypoint_names(parse_pose_metainfo(dict(from_file=str(path))))
    category = dict(id=1, name='person', keypoints=names)
    contents = {split: dict(info=INFO, images=[], annotations=[],
                            categories=[category])
                for split in ('train', 'val')}
    for split in contents:
        _check_free(root / LAYOUTS[layout][split][1])
    jobs = ['train'] * num_train + ['val'] * num_val
    for number, split in enumerate(progress(jobs, 'drawing'), 1):
        image, figures = draw_scene(rng, image_size, max_figures)
        name = _add_image(contents[split], number, image, figures)
        mmcv.imwrite(image, str(root / LAYOUTS[layout][split][0] / name))
    for split, content in contents.items():
        mmengine.dump(content, root / LAYOUTS[layout][split][1])
    mmengine.dump(_detections(contents['val'], rng),
                  root / LAYOUTS[layout]['detections'])
    return root


def crowd_index(annotations: List[dict]) -> float:
    """Return how crowded an image is, from 0 to 1.

    For each instance, the number of keypoints of other instances in its box
    over the number of its own keypoints in it, averaged over the instances.

    Source: Li et al., "CrowdPose" (CVPR 2019), eq. 1.
    """
    ratios = []
    points = [np.reshape(a['keypoints'], (-1, 3)) for a in annotations]
    for number, annotation in enumerate(annotations):
        low = np.array(annotation['bbox'][:2])
        high = low + annotation['bbox'][2:]
        inside = [((p[:, 2:] > 0) & (p[:, :2] >= low)
                   & (p[:, :2] <= high)).all(axis=1).sum() for p in points]
        own = inside.pop(number)
        ratios.append(min(sum(inside) / max(own, 1), 1))
    return round(float(np.mean(ratios)), 4) if ratios else 0.


def _add_image(content: dict, image_id: int, image: np.ndarray,
               figures: List[Figure]) -> str:
    """Add an image and its instances; return the name of the image."""
    names, annotations = content['categories'][0]['keypoints'], []
    for figure in figures:
        keypoints = []
        for name in names:
            name = 'head_top' if name == 'top_head' else name
            flag = figure.visible[name]
            x, y = figure.joints[name] if flag else (0, 0)
            keypoints += [round(float(x), 2), round(float(y), 2), flag]
        mask = figure.mask.astype(np.uint8)
        contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL,
                                       cv2.CHAIN_APPROX_SIMPLE)
        annotations.append(dict(
            id=len(content['annotations']) + len(annotations) + 1,
            image_id=image_id,
            category_id=1,
            iscrowd=0,
            keypoints=keypoints,
            num_keypoints=sum(flag > 0 for flag in keypoints[2::3]),
            bbox=list(cv2.boundingRect(mask)),
            area=int(mask.sum()),
            segmentation=[c.ravel().tolist() for c in contours if len(c) > 2]))
        if not annotations[-1]['num_keypoints']:
            annotations.pop()
    info = dict(id=image_id, file_name=f'{image_id:012d}.jpg',
                width=image.shape[1], height=image.shape[0])
    if 'top_head' in names:  # CrowdPose
        info['crowdIndex'] = crowd_index(annotations)
    content['images'].append(info)
    content['annotations'] += annotations
    return info['file_name']


def _detections(content: dict, rng: np.random.Generator) -> List[dict]:
    """Return boxes like those of a detector: jittered, with mistakes."""
    boxes = []
    for annotation in content['annotations']:
        box = np.array(annotation['bbox'])
        box = box + rng.normal(0, 0.03, 4) * [*box[2:], *box[2:]]
        boxes.append((annotation['image_id'], box, rng.uniform(0.7, 1)))
    for image in content['images'][::4]:
        corner = rng.uniform(0, [image['width'], image['height']]) * 0.6
        box = np.concatenate([corner, rng.uniform(20, 80, 2)])
        boxes.append((image['id'], box, rng.uniform(0.05, 0.4)))
    return [dict(image_id=image_id, category_id=1,
                 bbox=np.round(box, 2).tolist(), score=round(float(score), 4))
            for image_id, box, score in boxes]


def _check_free(path: Path) -> None:
    """Raise if annotations exist that are not of a toy dataset."""
    if path.is_file():
        with path.open(encoding='utf-8') as file:
            start = file.read(100)
        if INFO['description'] not in start:
            raise FileExistsError(
                'expected a folder without annotations of another dataset, '
                f'got one with {str(path)!r}; choose another folder')
