"""Poses and body parts of the articulated figures of the toy data set.

Lengths are in units of a figure's height; x grows to the right and y
downwards, as in images. Figures face the camera: their left is the image's
right. No colour tells left from right, so that a flip is consistent.
"""
from typing import Dict, List, NamedTuple, Sequence, Tuple

import numpy as np

Joints = Dict[str, np.ndarray]

SIDES = (('left', 1), ('right', -1))
TORSO, UPPER_ARM, FOREARM, THIGH, SHIN = 0.29, 0.17, 0.16, 0.24, 0.23
SHOULDER, HIP, HEAD = 0.105, 0.065, 0.08
TRUNK = ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')
FACE = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'head_top')


class Part(NamedTuple):
    """A convex part of a figure.

    Attributes:
        polygon: Outline in shape (P, 2), in px.
        cloth: Name of its texture, e.g. skin, hair, shirt or trousers.
        joints: Names of the joints that the part shows.
    """

    polygon: np.ndarray
    cloth: str
    joints: Sequence[str]


def sample_joints(rng: np.random.Generator) -> Joints:
    """Return a random pose: joint name to (x, y), the neck at the origin."""
    lean = rng.normal(0, 0.15)
    down, across = _axes(lean)
    joints, turn = dict(neck=np.zeros(2)), rng.uniform(0.75, 1.1)
    for side, sign in SIDES:
        shoulder = sign * turn * SHOULDER * across + 0.035 * down
        raised = rng.uniform(-0.2, 2.6)
        elbow = shoulder + UPPER_ARM * _axes(lean + sign * raised)[0]
        bend = raised + rng.uniform(-1.9, 1.0)
        wrist = elbow + FOREARM * _axes(lean + sign * bend)[0]
        hip = TORSO * down + sign * turn * HIP * across
        spread = rng.uniform(-0.1, 0.7)
        knee = hip + THIGH * _axes(sign * spread)[0]
        spread -= rng.uniform(-0.1, 0.9)
        ankle = knee + SHIN * _axes(sign * spread)[0]
        for name, joint in dict(shoulder=shoulder, elbow=elbow, wrist=wrist,
                                hip=hip, knee=knee, ankle=ankle).items():
            joints[f'{side}_{name}'] = joint
    down, across = _axes(lean + rng.normal(0, 0.15))
    head = -1.35 * HEAD * down
    yaw = rng.uniform(-0.3, 0.3) * HEAD * across
    joints.update(head=head, head_top=head - 1.15 * HEAD * down,
                  nose=head + 1.3 * yaw + 0.15 * HEAD * down)
    for side, sign in SIDES:
        joints[f'{side}_eye'] = (
            head + yaw - 0.25 * HEAD * down + sign * 0.38 * HEAD * across)
        joints[f'{side}_ear'] = head + sign * 0.95 * HEAD * across
    return joints


def body_parts(joints: Joints, rng: np.random.Generator) -> List[Part]:
    """Return the parts of a figure from back to front, for joints in px.

    An arm can be behind the torso, at random.
    """
    height = np.linalg.norm(joints['head_top'] - joints['neck']) / 0.18

    def limb(start: str, end: str, radius: float, end_radius: float,
             cloth: str) -> Part:
        """Return a tapered limb with round ends between two joints."""
        a, b = joints[start], joints[end]
        turn = np.arctan2(*(b - a)[::-1]) + np.linspace(
            -np.pi / 2, np.pi / 2, 8)
        arc = np.stack([np.cos(turn), np.sin(turn)], axis=-1)
        ends = [b + end_radius * height * arc, a - radius * height * arc]
        return Part(np.concatenate(ends), cloth, (start, end))

    legs, arms, behind = [], [], []
    for side, _ in SIDES:
        hip, knee, ankle, shoulder, elbow, wrist = (
            f'{side}_{name}' for name in ('hip', 'knee', 'ankle', 'shoulder',
                                          'elbow', 'wrist'))
        foot = joints[ankle] + np.array([0, 0.02 * height])
        legs += [_ellipse(foot, 0.035 * height, 0.02 * height, 'hair', ankle),
                 limb(hip, knee, 0.058, 0.045, 'trousers'),
                 limb(knee, ankle, 0.045, 0.032, 'trousers')]
        (behind if rng.random() < 0.2 else arms).extend([
            limb(shoulder, elbow, 0.042, 0.035, 'shirt'),
            limb(elbow, wrist, 0.032, 0.024, 'skin'),
            _ellipse(joints[wrist], 0.03 * height, 0.03 * height, 'skin',
                     wrist)])
    points = np.array([joints[name] for name in TRUNK])
    middle = points.mean(axis=0)
    torso = middle + (points - middle) * np.array([1.4, 1.12])
    return [*behind, *legs, limb('neck', 'head', 0.03, 0.03, 'skin'),
            Part(torso, 'shirt', (*TRUNK, 'neck')), *arms,
            *_face(joints, HEAD * height)]


def _face(joints: Joints, size: float) -> List[Part]:
    head, nose = joints['head'], joints['nose']
    up = (joints['head_top'] - head) / 1.15
    parts = [_ellipse(joints[f'{side}_ear'], 0.2 * size, 0.3 * size, 'skin',
                      f'{side}_ear') for side, _ in SIDES]
    parts += [_ellipse(head, 0.88 * size, 1.05 * size, 'skin', *FACE),
              _ellipse(head + 0.8 * up, 0.7 * size, 0.38 * size, 'hair',
                       'head_top')]
    for side, _ in SIDES:
        eye = joints[f'{side}_eye']
        parts += [_ellipse(eye, 0.2 * size, 0.14 * size, 'white', *FACE),
                  _ellipse(eye, 0.1 * size, 0.12 * size, 'black', *FACE)]
    corners = np.array([[0, -.25], [.14, .1], [-.14, .1]])
    return [*parts, Part(nose + size * corners, 'nose', FACE),
            _ellipse(nose - 0.38 * up, 0.25 * size, 0.06 * size, 'red', *FACE)]


def _ellipse(centre: np.ndarray, radius_x: float, radius_y: float, cloth: str,
             *joints: str) -> Part:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    outline = centre + np.stack(
        [radius_x * np.cos(turn), radius_y * np.sin(turn)], axis=-1)
    return Part(outline, cloth, joints)


def _axes(angle: float) -> Tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors down and across of a body that is turned."""
    return (np.array([np.sin(angle), np.cos(angle)]),
            np.array([np.cos(angle), -np.sin(angle)]))
