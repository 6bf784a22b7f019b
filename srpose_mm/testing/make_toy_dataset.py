import json
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple, Union

import cv2
import numpy as np
from mmpose.datasets.datasets.utils import parse_pose_metainfo
from rich.console import Console
from rich.progress import track

from ..configs import MMPOSE_MIM
from ..testing import Person, draw_scene


class Layout(NamedTuple):
    """Where a data set keeps its files, as MMPose's configs expect them.

    Attributes:
        metainfo: Name of MMPose's definition of the keypoints.
        joints: Keypoint name to joint name where the two differ.
        splits: Split to its image folder and its annotation file.
        detections: The detection file of the validation split.
        crowd: Whether images carry a crowd index.
    """
    metainfo: str
    joints: Dict[str, str]
    splits: Dict[str, Tuple[str, str]]
    detections: str
    crowd: bool


LAYOUTS = dict(
    coco=Layout(
        metainfo='coco',
        joints={},
        splits=dict(
            train=('train2017', 'person_keypoints_train2017.json'),
            val=('val2017', 'person_keypoints_val2017.json')),
        detections='person_detection_results/'
        'COCO_val2017_detections_AP_H_56_person.json',
        crowd=False),
    crowdpose=Layout(
        metainfo='crowdpose',
        joints=dict(top_head='head_top'),
        splits=dict(
            train=('images', 'mmpose_crowdpose_trainval.json'),
            val=('images', 'mmpose_crowdpose_test.json')),
        detections='annotations/det_for_crowd_test_0.1_0.5.json',
        crowd=True))


def make_toy_dataset(out_dir: Union[str, Path],
                     layout: str = 'coco',
                     num_train: int = 800,
                     num_val: int = 100,
                     image_size: Tuple[int, int] = (320, 256),
                     max_people: int = 3,
                     seed: int = 0) -> Path:
    """Draw a keypoint data set of articulated figures.

    Files lie where MMPose's configs of the real data set look for them, so
    that such a config runs on it with no change but its ``data_root``. The
    same arguments give the same files.

    Args:
        out_dir: The ``data_root`` to write.
        layout: ``'coco'`` (17 keypoints) or ``'crowdpose'`` (14 keypoints and
            a crowd index for each image).
        num_train: Number of training images.
        num_val: Number of validation images.
        image_size: (width, height) of the images, in px.
        max_people: Largest number of figures in an image.
        seed: Seed of everything random.

    Returns:
        ``out_dir``.

    Raises:
        ValueError: If ``layout`` is unknown or a number is not positive.
    """
    if layout not in LAYOUTS:
        raise ValueError('make_toy_dataset: expected layout to be one of '
                         f'{tuple(LAYOUTS)}, got {layout!r}')
    for name, value in dict(
            num_train=num_train,
            num_val=num_val,
            max_people=max_people,
            image_size=min(image_size)).items():
        if value < 1:
            raise ValueError(f'make_toy_dataset: expected a positive {name}, '
                             f'got {value}')
    writer = _Writer(Path(out_dir), LAYOUTS[layout])
    rng = np.random.default_rng(seed)
    jobs = ['train'] * num_train + ['val'] * num_val
    for split in track(jobs, 'drawing', console=Console(stderr=True)):
        writer.add_image(split, *draw_scene(rng, image_size, max_people))
    writer.save(rng)
    return Path(out_dir)


class _Writer:
    """Collects images and annotations of one data set."""

    def __init__(self, root: Path, layout: Layout):
        self.root, self.layout = root, layout
        path = f'configs/_base_/datasets/{layout.metainfo}.py'
        info = parse_pose_metainfo(dict(from_file=str(MMPOSE_MIM / path)))
        self.keypoints = [
            info['keypoint_id2name'][i] for i in range(info['num_keypoints'])
        ]
        self.skeleton = [[int(a) + 1, int(b) + 1]
                         for a, b in info['skeleton_links']]
        self.images = dict(train=[], val=[])
        self.annotations = dict(train=[], val=[])
        self.count = 0
        for folder, _ in layout.splits.values():
            (root / folder).mkdir(parents=True, exist_ok=True)

    def add_image(self, split: str, image: np.ndarray,
                  people: List[Person]) -> None:
        self.count += 1
        name = f'{self.count:012d}.jpg'
        path = self.root / self.layout.splits[split][0] / name
        if not cv2.imwrite(str(path), image):
            raise OSError(f'make_toy_dataset: cannot write {path}')
        info = dict(
            id=self.count,
            file_name=name,
            width=image.shape[1],
            height=image.shape[0])
        annotations = [self._annotation(person) for person in people]
        annotations = [a for a in annotations if a['num_keypoints'] > 0]
        if self.layout.crowd:
            info['crowdIndex'] = crowd_index(annotations)
        self.images[split].append(info)
        self.annotations[split].extend(annotations)

    def _annotation(self, person: Person) -> dict:
        keypoints = []
        for name in self.keypoints:
            name = self.layout.joints.get(name, name)
            flag = person.visible[name]
            x, y = person.joints[name] if flag else (0, 0)
            keypoints += [round(float(x), 2), round(float(y), 2), flag]
        contours, _ = cv2.findContours(
            person.mask.astype(np.uint8), cv2.RETR_EXTERNAL,
            cv2.CHAIN_APPROX_SIMPLE)
        return dict(
            image_id=self.count,
            category_id=1,
            iscrowd=0,
            keypoints=keypoints,
            num_keypoints=sum(flag > 0 for flag in keypoints[2::3]),
            bbox=list(cv2.boundingRect(person.mask.astype(np.uint8))),
            area=int(person.mask.sum()),
            segmentation=[
                c.ravel().tolist() for c in contours if len(c) > 2
            ])

    def save(self, rng: np.random.Generator) -> None:
        category = dict(
            id=1,
            name='person',
            supercategory='person',
            keypoints=self.keypoints,
            skeleton=self.skeleton)
        for split, (_, name) in self.layout.splits.items():
            for number, annotation in enumerate(self.annotations[split], 1):
                annotation['id'] = number
            _dump(
                dict(
                    info=dict(description='toy figures of srpose_mm'),
                    images=self.images[split],
                    annotations=self.annotations[split],
                    categories=[category]), self.root / 'annotations' / name)
        _dump(self._detections(rng), self.root / self.layout.detections)

    def _detections(self, rng: np.random.Generator) -> List[dict]:
        """Boxes as a person detector gives them: jittered, with mistakes."""
        detections = []
        for annotation in self.annotations['val']:
            x, y, w, h = annotation['bbox']
            noise = rng.normal(0, 0.03, 4) * [w, h, w, h]
            box = np.array([x, y, w, h]) + noise
            detections.append((annotation['image_id'], box,
                               rng.uniform(0.7, 1)))
        for image in self.images['val'][::4]:
            corner = rng.uniform(0, [image['width'], image['height']]) * 0.6
            box = np.concatenate([corner, rng.uniform(20, 80, 2)])
            detections.append((image['id'], box, rng.uniform(0.05, 0.4)))
        return [
            dict(
                image_id=image_id,
                category_id=1,
                bbox=np.round(box, 2).tolist(),
                score=round(float(score), 4))
            for image_id, box, score in detections
        ]


def crowd_index(annotations: List[dict]) -> float:
    """How crowded an image is, in [0, 1].

    For each person the number of other people's keypoints in the box over
    the number of its own, averaged over the people.

    Args:
        annotations: COCO annotations of the image's people.

    Source: Li et al., "CrowdPose" (CVPR 2019), eq. 1.
    """
    ratios = []
    for annotation in annotations:
        x, y, w, h = annotation['bbox']
        counts = []
        for other in annotations:
            points = np.array(other['keypoints']).reshape(-1, 3)
            px, py = points[points[:, 2] > 0, :2].T
            inside = (px >= x) & (px <= x + w) & (py >= y) & (py <= y + h)
            counts.append((other is annotation, int(inside.sum())))
        own = sum(count for mine, count in counts if mine)
        others = sum(count for mine, count in counts if not mine)
        ratios.append(min(others / max(own, 1), 1))
    return round(float(np.mean(ratios)), 4) if ratios else 0.


def _dump(content, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
