"""Names, swaps, sigmas and weights of the keypoints of the metainfo."""
import re
from typing import List, Sequence

import numpy as np

from ..datasets.utils import keypoint_names
from .report import KEPT, STOPS, WRONG, DatasetReport, shorten
from .sources import DataSource

ABBREVIATIONS = dict(l='left', r='right', f='front', b='back')
MIRROR = dict(left='right', right='left')


def check_metainfo(source: DataSource, labelled: np.ndarray,
                   report: DatasetReport) -> None:
    """Check the swaps, sigmas and joint weights of the metainfo.

    A swap has no effect on keypoints that are not ``labelled`` (K, ), bool.
    """
    meta, faults = source.metainfo, []
    names, swaps = keypoint_names(meta), meta['flip_indices']
    words = [_words(name) for name in names]
    for index, (name, other) in enumerate(zip(names, swaps)):
        mirrored = [MIRROR.get(word, word) for word in words[index]]
        if not (labelled[index] or labelled[other]):
            continue
        if swaps[other] != index:
            faults.append(f'{name} swaps with {names[other]}, '
                          f'{names[other]} with {names[swaps[other]]}')
        elif mirrored in words and mirrored not in (words[index],
                                                    words[other]):
            faults.append(f'{name} swaps with {names[other]}, not with '
                          f'{names[words.index(mirrored)]}')
    if faults:
        report.add('metainfo', WRONG, 'swap must be mutual, left with right: '
                   + shorten(faults))
    target = source.step('GenerateTarget') or {}
    per_keypoint = [('joint_weights', meta['dataset_keypoint_weights'],
                     target.get('use_dataset_keypoint_weights'))]
    # MMPose leaves sigmas empty where OKS is not used.
    if len(meta['sigmas']) or source.coco_metrics():
        per_keypoint.append(('sigmas', meta['sigmas'], source.coco_metrics()))
    for key, values, is_used in per_keypoint:
        if len(values) != len(names):
            report.add('metainfo', STOPS if is_used else KEPT,
                       f'{len(values)} {key} for {len(names)} keypoints')


def check_keypoint_names(source: DataSource, categories: Sequence[dict],
                         report: DatasetReport) -> None:
    """Compare the keypoint names of categories with the metainfo.

    Two names agree if the words of one are among the words of the other:
    ``head`` and ``top_head``, ``L_Eye`` and ``left_eye``. A list of numbers
    has no names.
    """
    expected = keypoint_names(source.dataset.metainfo)
    for category in categories:
        names = category.get('keypoints')
        if not (isinstance(names, list) and re.search('[A-Za-z]', str(names))):
            continue
        faults = [
            f'keypoint {index} is {name}, in the metainfo {wanted}'
            for index, (name, wanted) in enumerate(zip(names, expected))
            if name != wanted and (name in expected
                                   or not _agree(str(name), wanted))
        ]
        if len(names) != len(expected):
            faults.insert(0, f'{len(names)} keypoints, the metainfo has '
                          f'{len(expected)}')
        if faults:
            report.add('keypoint_names', WRONG,
                       f'category {category["id"]}: {shorten(faults)}')


def _words(name: str) -> List[str]:
    return [ABBREVIATIONS.get(word, word)
            for word in re.findall('[a-z0-9]+', name.lower())]


def _agree(name: str, other: str) -> bool:
    words, others = set(_words(name)), set(_words(other))
    return words <= others or others <= words
