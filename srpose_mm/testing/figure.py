"""The articulated figure of the toy data set: joints and body parts.

Lengths are in units of a figure's height; x grows to the right and y
downwards, as in images. Figures face the camera: their left is the image's
right. No colour tells left from right, so a mirrored image stays consistent.
"""
from typing import Dict, List, NamedTuple, Tuple

import numpy as np

Joints = Dict[str, np.ndarray]

SIDES = (('left', 1), ('right', -1))
TORSO, UPPER_ARM, FOREARM, THIGH, SHIN = 0.29, 0.17, 0.16, 0.24, 0.23
SHOULDER, HIP, HEAD = 0.105, 0.065, 0.08


class Part(NamedTuple):
    """A convex piece of a figure.

    Attributes:
        polygon: Outline in shape (P, 2), in px.
        cloth: Which texture fills it: skin, hair, shirt or trousers.
        joints: Names of the joints that it shows, which it does not hide.
    """
    polygon: np.ndarray
    cloth: str
    joints: Tuple[str, ...]


def sample_joints(rng: np.random.Generator) -> Joints:
    """Draw a pose.

    Args:
        rng: Source of randomness.

    Returns:
        Joint name to (x, y), the neck at the origin, in figure heights.
    """
    lean = rng.normal(0, 0.15)
    joints = dict(neck=np.zeros(2))
    pelvis = TORSO * _direction(lean)
    across = np.array([np.cos(lean), -np.sin(lean)])
    turn = rng.uniform(0.75, 1.1)
    for side, sign in SIDES:
        shoulder = sign * turn * SHOULDER * across + 0.035 * _direction(lean)
        raised = rng.uniform(-0.2, 2.6)
        elbow = shoulder + UPPER_ARM * _direction(lean + sign * raised)
        bend = raised + rng.uniform(-1.9, 1.0)
        joints[f'{side}_shoulder'] = shoulder
        joints[f'{side}_elbow'] = elbow
        joints[f'{side}_wrist'] = elbow + FOREARM * _direction(
            lean + sign * bend)
        hip = pelvis + sign * turn * HIP * across
        spread = rng.uniform(-0.1, 0.7)
        knee = hip + THIGH * _direction(sign * spread)
        joints[f'{side}_hip'] = hip
        joints[f'{side}_knee'] = knee
        joints[f'{side}_ankle'] = knee + SHIN * _direction(
            sign * (spread - rng.uniform(-0.1, 0.9)))
    joints.update(_sample_head(rng, lean))
    return joints


def _sample_head(rng: np.random.Generator, lean: float) -> Joints:
    """Draw the head: nose, eyes, ears, its centre and its top."""
    tilt = lean + rng.normal(0, 0.15)
    up, across = -_direction(tilt), np.array([np.cos(tilt), -np.sin(tilt)])
    centre = 1.35 * HEAD * up
    yaw = rng.uniform(-0.3, 0.3) * HEAD * across
    joints = dict(
        head=centre,
        head_top=centre + 1.15 * HEAD * up,
        nose=centre + 1.3 * yaw - 0.15 * HEAD * up)
    for side, sign in SIDES:
        joints[f'{side}_eye'] = (
            centre + yaw + 0.25 * HEAD * up + sign * 0.38 * HEAD * across)
        joints[f'{side}_ear'] = centre + sign * 0.95 * HEAD * across
    return joints


def body_parts(joints: Joints, rng: np.random.Generator) -> List[Part]:
    """Split a figure into parts, from back to front.

    Args:
        joints: Joint name to (x, y), in px.
        rng: Source of randomness: an arm may be behind the torso.

    Returns:
        The parts in drawing order.
    """
    height = np.linalg.norm(joints['head_top'] - joints['neck']) / 0.18
    legs, arms, behind = [], [], []
    for side, _ in SIDES:
        hip, knee, ankle, shoulder, elbow, wrist = (
            f'{side}_{name}' for name in ('hip', 'knee', 'ankle', 'shoulder',
                                          'elbow', 'wrist'))
        foot = joints[ankle] + np.array([0, 0.02 * height])
        legs += [
            Part(_ellipse(foot, 0.035 * height, 0.02 * height), 'hair',
                 (ankle, )),
            _limb(joints, hip, knee, 0.058 * height, 0.045 * height,
                  'trousers'),
            _limb(joints, knee, ankle, 0.045 * height, 0.032 * height,
                  'trousers')
        ]
        arm = [
            _limb(joints, shoulder, elbow, 0.042 * height, 0.035 * height,
                  'shirt'),
            _limb(joints, elbow, wrist, 0.032 * height, 0.024 * height,
                  'skin'),
            Part(_ellipse(joints[wrist], 0.03 * height, 0.03 * height),
                 'skin', (wrist, ))
        ]
        (behind if rng.random() < 0.2 else arms).extend(arm)
    return [*behind, *legs, *_trunk(joints, height), *arms,
            *_face(joints, height)]


def _trunk(joints: Joints, height: float) -> List[Part]:
    """The torso with the neck."""
    corners = ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')
    points = np.array([joints[name] for name in corners])
    middle = points.mean(axis=0)
    outline = middle + (points - middle) * np.array([1.4, 1.12])
    return [
        _limb(joints, 'neck', 'head', 0.03 * height, 0.03 * height, 'skin'),
        Part(outline, 'shirt', (*corners, 'neck'))
    ]


def _face(joints: Joints, height: float) -> List[Part]:
    """The head with ears, hair, eyes and nose."""
    size = HEAD * height
    head = joints['head']
    up = (joints['head_top'] - head) / 1.15
    shown = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear',
             'head_top')
    parts = [
        Part(_ellipse(joints[f'{side}_ear'], 0.2 * size, 0.3 * size), 'skin',
             (f'{side}_ear', )) for side, _ in SIDES
    ]
    parts.append(Part(_ellipse(head, 0.88 * size, 1.05 * size), 'skin', shown))
    parts.append(
        Part(_ellipse(head + 0.8 * up, 0.7 * size, 0.38 * size), 'hair',
             ('head_top', )))
    for side, _ in SIDES:
        eye = joints[f'{side}_eye']
        parts.append(
            Part(_ellipse(eye, 0.2 * size, 0.14 * size), 'white', shown))
        parts.append(
            Part(_ellipse(eye, 0.1 * size, 0.12 * size), 'black', shown))
    nose = joints['nose'] + size * np.array([[0, -.25], [.14, .1], [-.14, .1]])
    mouth = joints['nose'] - 0.38 * up
    parts.append(Part(nose, 'nose', shown))
    parts.append(Part(_ellipse(mouth, 0.25 * size, 0.06 * size), 'red', shown))
    return parts


def _limb(joints: Joints, start: str, end: str, start_radius: float,
          end_radius: float, cloth: str) -> Part:
    """A tapered limb with round ends between two joints."""
    a, b = joints[start], joints[end]
    angle = np.arctan2(*(b - a)[::-1])
    turn = np.linspace(-np.pi / 2, np.pi / 2, 8)
    ends = [
        b + end_radius * np.stack([np.cos(angle + turn),
                                   np.sin(angle + turn)], axis=-1),
        a - start_radius * np.stack([np.cos(angle + turn),
                                     np.sin(angle + turn)], axis=-1)
    ]
    return Part(np.concatenate(ends), cloth, (start, end))


def _ellipse(centre: np.ndarray, radius_x: float,
             radius_y: float) -> np.ndarray:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    return centre + np.stack(
        [radius_x * np.cos(turn), radius_y * np.sin(turn)], axis=-1)


def _direction(angle: float) -> np.ndarray:
    """The unit vector ``angle`` radians from straight down, to the right."""
    return np.array([np.sin(angle), np.cos(angle)])
