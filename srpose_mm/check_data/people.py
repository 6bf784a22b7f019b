import math
from typing import Any, Dict, List, Optional, Set

import numpy as np
from mmpose.datasets.transforms import BottomupGetHeatmapMask

from .findings import Findings
from .keypoints import odd_places, odd_visibility
from .kinds import SKIPPED, STOPS, WEIGHTLESS, WRONG
from .pictures import Picture
from .read_file import is_number
from .sources import Source


class People:
    """Checks annotations one by one, with the data set's own reader.

    Args:
        source: The data set.
        categories: Categories of its file.
        findings: Gets the faults.
    """

    def __init__(self, source: Source, categories: List[dict],
                 findings: Findings):
        self.source = source
        self.findings = findings
        self.path = source.dataset.ann_file
        # Things of other categories have no keypoints, which is no fault.
        self.without = {
            repr(category.get('id'))
            for category in categories if 'keypoints' not in category
        }
        self.used: Set[int] = set()
        self.segmented: Dict[int, bool] = {}

    def check(self, annotation: dict, label: Any, record: dict,
              picture: Picture) -> None:
        """Check an annotation of an image that is listed.

        Args:
            annotation: It, as in the file.
            label: What it is called.
            record: The image's entry, with ``img_path``.
            picture: The image.
        """
        self.findings.count('annotations')
        annotation.setdefault('iscrowd', False)  # as COCO's reader does
        if self.source.needs_area:
            self._check_area(annotation, label, picture)
        if self.source.dataset.bbox_file:
            return  # Boxes are those of detections.
        try:
            info = self.source.dataset.parse_data_info(
                dict(raw_ann_info=annotation, raw_img_info=record))
            valid = bool(info) and self.source.dataset._is_valid_instance(info)
        # Each data set has a reader of its own.
        except Exception as err:
            self._add('annotation_record', f'{type(err).__name__}: {err}',
                      label, picture)
            return
        if not info:
            self._note_lacking(annotation, label, picture)
            return
        self.findings.count('used', int(valid))
        if valid or self.source.bottom_up:
            self.used.add(record['id'])
        if self.source.bottom_up:
            self._check_segmentation(info, label, record, picture, valid)
        if not self._check_plain(annotation, label, picture):
            return
        if annotation['iscrowd']:
            self.findings.count('of crowds')
            return
        self._check_labels(annotation, info, valid, label, picture)

    def _check_labels(self, annotation: dict, info: dict, valid: bool,
                      label: Any, picture: Picture) -> None:
        # What a person's fault does to one who is left out is nothing more.
        out = None if valid or self.source.bottom_up else SKIPPED
        names = list(self.source.dataset.metainfo['keypoint_id2name'].values())
        points, visible = info['keypoints'][0], info['keypoints_visible'][0]
        if len(points) != len(names):
            self._add('keypoint_count', f'{len(points)} keypoints, the config '
                      f'has {len(names)}', label, picture)
            return
        if not self._check_number(annotation, info, out, label, picture):
            return
        self._check_box(annotation, info, label, picture)
        for kind, message in odd_places(points, visible, names, picture.size):
            self._add(kind, message, label, picture, out)
        given = np.array(annotation['keypoints'], np.float32).reshape(-1, 3)
        odd = odd_visibility(given[:, 2], names, (0, 1, 2))
        if odd:
            message, effect = odd
            self._add('visibility', message, label, picture, out or effect)

    def _check_plain(self, annotation: dict, label: Any,
                     picture: Picture) -> bool:
        """Whether single values are such."""
        lists = [
            key for key in ('area', 'iscrowd', 'num_keypoints')
            if isinstance(annotation.get(key), list)
        ]
        if lists and self.source.bottom_up:
            self._add('annotation_record', f'expected one {lists[0]}, got '
                      f'{annotation[lists[0]]}', label, picture)
            return False
        if annotation['iscrowd'] not in (0, 1):
            self._add('iscrowd', f'iscrowd {annotation["iscrowd"]!r}', label,
                      picture)
            return False
        return True

    def _check_number(self, annotation: dict, info: dict, out: Optional[str],
                      label: Any, picture: Picture) -> bool:
        """Whether somebody is labelled; notes it if the file denies it."""
        number = int((np.nan_to_num(info['keypoints_visible']) >= 0.5).sum())
        given = info.get('num_keypoints')
        if given == 0 and number == 0:
            self.findings.count('without a labelled keypoint')
            return False
        if given == 0 or number == 0:
            effect = out or (None if given == 0 else WEIGHTLESS)
            self._add('num_keypoints', f'num_keypoints is {given}, {number} '
                      'are labelled', label, picture, effect)
        return True

    def _check_box(self, annotation: dict, info: dict, label: Any,
                   picture: Picture) -> None:
        given = annotation.get('bbox') or info['bbox'][0].tolist()
        x1, y1, x2, y2 = info['bbox'][0]
        empty = x2 <= x1 or y2 <= y1
        finite = np.isfinite(info['bbox']).all()
        if not finite or not np.isfinite(np.array(given, np.float32)).all():
            effect = None
            if finite and not self.source.bottom_up:
                # Clipping ends an infinite box at the image's border.
                effect = SKIPPED if empty else WRONG
            self._add('box_not_finite', f'bbox {given}', label, picture,
                      effect)
        elif empty:
            width, height = picture.size
            self._add('empty_box', f'bbox {given} in an image of '
                      f'{width}x{height} px', label, picture)

    def _note_lacking(self, annotation: dict, label: Any,
                      picture: Picture) -> None:
        if repr(annotation.get('category_id')) in self.without:
            self.findings.count('of things without keypoints')
            return
        # Evaluators read both.
        test = self.source.dataset.test_mode
        self._add('no_box_or_keypoints', 'it has no bbox or no keypoints',
                  label, picture, STOPS if test else None)

    def _check_segmentation(self, info: dict, label: Any, record: dict,
                            picture: Picture, valid: bool) -> None:
        """What the mask of a bottom-up model is made of."""
        given = info.get('segmentation')
        listed = isinstance(given, (list, tuple))
        first = self.segmented.setdefault(record['id'], listed)
        if first and not hasattr(given, '__iter__'):
            self._add('segmentation', f'segmentation {given!r}, the first one '
                      'of the image is a list', label, picture)
        elif listed and not valid and not _makes_mask(given):
            self._add('segmentation', f'segmentation {given!r:.60}', label,
                      picture)

    def _check_area(self, annotation: dict, label: Any,
                    picture: Picture) -> None:
        area = annotation.get('area')
        if not is_number(area):
            self._add('area', f'area {area!r}', label, picture, STOPS)
        elif not 0 < area < math.inf:
            self._add('area', f'area {area}', label, picture)

    def _add(self,
             kind: str,
             message: str,
             label: Any,
             picture: Picture,
             effect: Optional[str] = None) -> None:
        self.findings.add(kind, message, self.path, picture.label, label,
                          effect)


def _makes_mask(segmentation: list) -> bool:
    """Whether MMPose makes a mask of the polygons of somebody left out."""
    if segmentation and all(
            isinstance(part, list) and len(part) >= 6
            for part in segmentation):
        return True
    results = dict(
        invalid_segs=[segmentation], img_shape=(8, 8), input_size=(8, 8))
    try:
        BottomupGetHeatmapMask().transform(results)
    # Plain ones too are raised there.
    except Exception:
        return False
    return True
