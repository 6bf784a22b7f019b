from pathlib import Path
from typing import Any, Dict, Optional

import numpy as np
from scipy.io import loadmat

from .findings import Findings
from .keypoints import odd_places, odd_visibility
from .kinds import KEPT, WEIGHTLESS, WRONG
from .pictures import Picture
from .read_file import is_list_of_dicts, is_number, read_file
from .sources import Source

KEYS = ('image', 'center', 'scale', 'joints', 'joints_vis')


def check_mpii_file(source: Source, findings: Findings) -> Dict[str, Picture]:
    """Check a file of annotations in MPII's layout.

    It says nothing of the images' sizes, so keypoints outside are not found.

    Args:
        source: The data set.
        findings: Gets the faults, and the number of annotations.

    Returns:
        Image name to image.
    """
    path = source.dataset.ann_file
    entries = read_file(path, findings)
    if entries is None:
        return {}
    if not is_list_of_dicts(entries):
        findings.add('layout', 'expected a list of dicts', path)
        return {}
    if not entries:
        findings.add('no_people', 'nobody can be trained or tested on', path)
    if source.dataset.headbox_file:
        _check_heads(source.dataset.headbox_file, len(entries), findings)
    pictures = {}
    names = list(source.dataset.metainfo['keypoint_id2name'].values())
    folder = Path(source.dataset.data_prefix['img'])
    for place, entry in enumerate(entries):
        findings.count('annotations')
        where = dict(
            file=path, image=str(entry.get('image')), annotation=f'at {place}')
        reason = _unreadable(entry)
        if reason:
            findings.add('annotation_record', reason, **where)
            continue
        name = entry['image']
        pictures[name] = Picture(str(folder / name), name, None)
        _check_person(entry, names, findings, where)
    return pictures


def _check_heads(path: str, people: int, findings: Findings) -> None:
    if not Path(path).is_file():
        findings.add('no_file', 'no such file', path)
        return
    try:
        number = loadmat(path)['headboxes_src'].shape[2]
    # A damaged file fails in any way.
    except Exception as err:
        findings.add('headboxes', f'it cannot be read: {err}', path)
        return
    if number != people:
        # Heads beyond the last person are not looked at.
        findings.add('headboxes', f'{number} heads, {people} people', path,
                     effect=WRONG if number > people else None)


def _unreadable(entry: dict) -> Optional[str]:
    lacking = [key for key in KEYS if key not in entry]
    if lacking:
        return f'it has no {", ".join(lacking)}'
    name = entry['image']
    if not isinstance(name, str) or not name.split('.')[0].isdigit():
        return f'expected the image\'s name to be a number, got {name!r}'
    joints = _as_array(entry['joints'])
    visible = _as_array(entry['joints_vis'])
    if joints is None or joints.ndim != 2 or joints.shape[1] != 2:
        return 'expected joints to be pairs of numbers'
    if visible is None or visible.shape != joints.shape[:1]:
        return 'expected a number in joints_vis for each joint'
    center = _as_array(entry['center'])
    if center is None or center.shape != (2, ):
        return f'expected center to be two numbers, got {entry["center"]!r}'
    if not is_number(entry['scale']):
        return f'expected scale to be a number, got {entry["scale"]!r}'
    return None


def _check_person(entry: dict, names: list, findings: Findings,
                  where: dict) -> None:
    joints = _as_array(entry['joints'])
    if len(joints) != len(names):
        findings.add('keypoint_count', f'{len(joints)} keypoints, the config '
                     f'has {len(names)}', **where)
        return
    box = f'center {entry["center"]}, scale {entry["scale"]}'
    if not np.isfinite([*_as_array(entry['center']), entry['scale']]).all():
        findings.add('box_not_finite', box, **where)
    elif entry['scale'] <= 0:
        findings.add('empty_box', box, **where)
    visible = _as_array(entry['joints_vis'])
    for kind, message in odd_places(joints, visible, names, None):
        findings.add(kind, message, **where)
    odd = odd_visibility(visible, names, (0, 1))
    if odd:
        message, effect = odd
        # Nothing clips them here: a joint of 2 weighs twice.
        if effect == KEPT:
            finite = np.isfinite(visible[visible >= 0.5]).all()
            effect = WRONG if finite else WEIGHTLESS
        findings.add('visibility', message, effect=effect, **where)


def _as_array(value: Any) -> Optional[np.ndarray]:
    try:
        return np.array(value, dtype=np.float32)
    except (TypeError, ValueError):
        return None
