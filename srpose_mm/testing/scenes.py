"""Scenes of the toy dataset: textured figures in front of a background.

Poses are in units of a figure's height; x grows to the right and y downwards,
as in images. Figures face the camera: their left is the image's right. No
color tells left from right, so that a flip is consistent.
"""
from typing import Callable, Dict, List, NamedTuple, Sequence, Tuple, Union

import cv2
import numpy as np

SIDES = (('left', 1), ('right', -1))
TORSO, UPPER_ARM, FOREARM, THIGH, SHIN = 0.29, 0.17, 0.16, 0.24, 0.23
SHOULDER, HIP, HEAD = 0.105, 0.065, 0.08
TRUNK = ('left_shoulder', 'right_shoulder', 'right_hip', 'left_hip')
FACE = ('nose', 'left_eye', 'right_eye', 'left_ear', 'right_ear', 'head_top')
# Ellipses from back to front: their joint, how far they are above it, radii
# (all in units of HEAD), texture, and the joints that they show.
HEAD_PARTS = (
    ('left_ear', 0, 0.2, 0.3, 'skin', ['left_ear']),
    ('right_ear', 0, 0.2, 0.3, 'skin', ['right_ear']),
    ('head', 0, 0.88, 1.05, 'skin', FACE),
    ('head', 0.8, 0.7, 0.38, 'hair', ['head_top']),
    ('left_eye', 0, 0.2, 0.14, 'white', FACE),
    ('left_eye', 0, 0.1, 0.12, 'black', FACE),
    ('right_eye', 0, 0.2, 0.14, 'white', FACE),
    ('right_eye', 0, 0.1, 0.12, 'black', FACE),
)
NOSE = np.array([[0, -.25], [.14, .1], [-.14, .1]])  # in units of HEAD
SKINS = ((150, 190, 235), (110, 150, 205), (70, 100, 160), (45, 65, 110))
SUBPIXEL_BITS = 4

Joints = Dict[str, np.ndarray]
# A BGR color, or a function of pixel columns and rows in shape (h, w) that
# returns BGR in shape (h, w, 3).
Texture = Union[np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]


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


class Figure(NamedTuple):
    """A figure of a scene, in px of the image.

    Attributes:
        joints: Joint name to (x, y).
        visible: Joint name to COCO's flag: 0 outside the image, 1 hidden, 2
            visible.
        mask: Silhouette with its hidden parts, bool in shape (H, W).
    """

    joints: Joints
    visible: Dict[str, int]
    mask: np.ndarray


def draw_scene(rng: np.random.Generator, size: Tuple[int, int],
               max_figures: int) -> Tuple[np.ndarray, List[Figure]]:
    """Draw an image.

    Args:
        rng: Source of randomness.
        size: (width, height) of the image in px.
        max_figures: Largest number of figures; the smallest is 1.

    Returns:
        The image, BGR uint8 in shape (H, W, 3), and its figures from back to
        front.
    """
    image = _background(rng, size)
    owners = np.full(image.shape[:2], -1)
    figures, parts = [], []
    count = int(rng.integers(1, max_figures + 1))
    for joints in _place_figures(rng, size, count):
        palette = _palette(rng)
        mask = np.zeros(image.shape[:2], dtype=bool)
        for part in _body_parts(joints, rng):
            covered = _draw_part(image, part, palette[part.cloth])
            owners[covered] = len(parts)
            mask |= covered
            parts.append((len(figures), part))
        figures.append((joints, mask))
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    image = np.clip(image + 4 * grain, 0, 255)
    return image.astype(np.uint8), [
        Figure(joints, _visibility(joints, number, owners, parts), mask)
        for number, (joints, mask) in enumerate(figures)
    ]


def _place_figures(rng: np.random.Generator, size: Tuple[int, int],
                   count: int) -> List[Joints]:
    """Return poses; each overlaps those before it at most by 30 %."""
    figures, boxes = [], []
    for _ in range(10 * count):
        tall = size[1] * rng.uniform(0.45, 0.85)
        joints = {name: tall * point
                  for name, point in _sample_joints(rng).items()}
        points = np.array(list(joints.values()))
        low, high = points.min(axis=0), points.max(axis=0)
        spare = np.maximum(size - (high - low), 1)
        # Ankles can be below the image, arms beside it.
        offset = rng.uniform(-0.05, 1.05, 2) * spare - low
        box = np.concatenate([low + offset, high + offset])
        if all(_overlap(box, other) < 0.3 for other in boxes):
            boxes.append(box)
            figures.append({n: p + offset for n, p in joints.items()})
        if len(figures) == count:
            break
    return figures


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Return the common area of two xyxy boxes over the smaller area."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return np.prod(np.clip(sides, 0, None)) / smaller


def _visibility(joints: Joints, number: int, owners: np.ndarray,
                parts: List[Tuple[int, Part]]) -> Dict[str, int]:
    flags = dict.fromkeys(joints, 0)
    for name, point in joints.items():
        column, row = np.floor(point + 0.5).astype(int)
        if 0 <= column < owners.shape[1] and 0 <= row < owners.shape[0]:
            index = owners[row, column]
            shown = index >= 0 and parts[index][0] == number
            flags[name] = 2 if shown and name in parts[index][1].joints else 1
    return flags


def _sample_joints(rng: np.random.Generator) -> Joints:
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


def _body_parts(joints: Joints, rng: np.random.Generator) -> List[Part]:
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
    size, up = HEAD * height, (joints['head_top'] - joints['head']) / 1.15
    head = [_ellipse(joints[joint] + above * up, radius_x * size,
                     radius_y * size, cloth, *shown)
            for joint, above, radius_x, radius_y, cloth, shown in HEAD_PARTS]
    return [*behind, *legs, limb('neck', 'head', 0.03, 0.03, 'skin'),
            Part(torso, 'shirt', (*TRUNK, 'neck')), *arms, *head,
            Part(joints['nose'] + size * NOSE, 'nose', FACE),
            _ellipse(joints['nose'] - 0.38 * up, 0.25 * size, 0.06 * size,
                     'red', *FACE)]


def _ellipse(center: np.ndarray, radius_x: float, radius_y: float, cloth: str,
             *joints: str) -> Part:
    turn = np.linspace(0, 2 * np.pi, 16, endpoint=False)
    outline = center + np.stack(
        [radius_x * np.cos(turn), radius_y * np.sin(turn)], axis=-1)
    return Part(outline, cloth, joints)


def _axes(angle: float) -> Tuple[np.ndarray, np.ndarray]:
    """Return the unit vectors down and across of a body that is turned."""
    return (np.array([np.sin(angle), np.cos(angle)]),
            np.array([np.cos(angle), -np.sin(angle)]))


def _draw_part(image: np.ndarray, part: Part,
               texture: Texture) -> np.ndarray:
    """Fill a part with its texture; return its pixels, bool (H, W)."""
    alpha = np.zeros(image.shape[:2], dtype=np.uint8)
    fixed = np.round(part.polygon * 2**SUBPIXEL_BITS).astype(np.int32)
    cv2.fillConvexPoly(alpha, cv2.convexHull(fixed), 255, cv2.LINE_AA,
                       SUBPIXEL_BITS)
    x, y, w, h = cv2.boundingRect(alpha)
    if w == 0:
        return alpha > 0
    area = np.s_[y:y + h, x:x + w]
    weight = alpha[area][..., None] / 255
    # A dark rim separates parts of the same texture.
    core = cv2.erode(alpha[area], np.ones((3, 3), np.uint8))[..., None] / 255
    if callable(texture):
        texture = texture(*np.meshgrid(
            np.arange(x, x + w, dtype=np.float32),
            np.arange(y, y + h, dtype=np.float32)))
    fill = texture * (0.6 + 0.4 * core)
    image[area] = (1 - weight) * image[area] + weight * fill
    return alpha > 127


def _palette(rng: np.random.Generator) -> Dict[str, Texture]:
    """Return the textures of a figure."""
    skin = np.array(SKINS[rng.integers(len(SKINS))], dtype=np.float32)
    colors = dict(skin=skin, hair=(rng.uniform(10, 70), ) * 3,
                   white=(235, 235, 235), black=(15, 15, 15),
                   nose=skin * 0.6, red=(60, 50, 170))
    plain = {name: np.array(color, dtype=np.float32)
             for name, color in colors.items()}
    return dict(plain, shirt=_pattern(rng), trousers=_pattern(rng))


def _pattern(rng: np.random.Generator) -> Texture:
    """Return stripes, checks or blotches of two colors."""
    kind = rng.integers(3)
    angles = rng.uniform(0, np.pi) + np.array([0, np.pi / 2, 0.8])
    waves = 2 * np.pi / rng.uniform((6, 6, 9), (16, 16, 24))
    if kind == 1:
        waves[1] = waves[0]
    first, second = rng.uniform(20, 235, (2, 3)).astype(np.float32)
    contrast = rng.uniform(0.3, 1)

    def texture(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        ripples = [
            np.sin(wave * (x * np.cos(angle) + y * np.sin(angle)))
            for wave, angle in zip(waves[:kind + 1], angles)
        ]
        height = np.prod(ripples, axis=0) if kind == 1 else sum(ripples)
        mix = (height > 0)[..., None] * contrast
        return first * (1 - mix) + second * mix

    return texture


def _background(rng: np.random.Generator, size: Tuple[int, int]) -> np.ndarray:
    """Return a textured background with shapes that are no figures."""
    image = np.empty((size[1], size[0], 3), dtype=np.float32)
    image[:] = rng.uniform(60, 190, 3)
    for cell in (64, 24, 8):
        tint = rng.uniform(5, 25, 3).astype(np.float32)
        noise = rng.normal(size=(size[1] // cell + 2, size[0] // cell + 2))
        image += cv2.resize(noise.astype(np.float32), size,
                            interpolation=cv2.INTER_CUBIC)[..., None] * tint
    for _ in range(rng.integers(4, 10)):
        center = rng.uniform(0, size)
        points = center + rng.normal(0, rng.uniform(5, 40), (5, 2))
        _draw_part(image, Part(points, 'shape', ()), _pattern(rng))
    return image
