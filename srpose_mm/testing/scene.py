"""Scenes of the toy data set: several textured figures before a background.
"""
import functools
from typing import Callable, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np

from .figure import Joints, Part, body_parts, sample_joints

SKINS = ((150, 190, 235), (110, 150, 205), (70, 100, 160), (45, 65, 110))
SUBPIXEL_BITS = 4

# Pixel columns and rows, (h, w) each, to BGR colours (h, w, 3) or (3, ).
Texture = Callable[[np.ndarray, np.ndarray], np.ndarray]


class Person(NamedTuple):
    """One figure of a scene, in px of the image.

    Attributes:
        joints: Joint name to (x, y).
        visible: Joint name to COCO's flag: 0 outside the image, 1 hidden, 2
            seen.
        mask: Its silhouette, hidden parts included, bool in shape (H, W).
    """
    joints: Joints
    visible: dict
    mask: np.ndarray


def draw_scene(rng: np.random.Generator, size: Tuple[int, int],
               max_people: int) -> Tuple[np.ndarray, List[Person]]:
    """Draw an image.

    Args:
        rng: Source of randomness.
        size: (width, height) of the image in px.
        max_people: Largest number of figures; at least one is there.

    Returns:
        The image, BGR uint8 in shape (H, W, 3), and its people, the ones
        behind first.
    """
    width, height = size
    image = _background(rng, size)
    owners = np.full((height, width), -1)
    people, parts = [], []
    for joints in _place_figures(rng, size, int(rng.integers(1, max_people +
                                                             1))):
        palette = _palette(rng)
        mask = np.zeros((height, width), dtype=bool)
        for part in body_parts(joints, rng):
            covered = _draw_part(image, part, palette)
            owners[covered] = len(parts)
            mask |= covered
            parts.append((len(people), part))
        people.append((joints, mask))
    grain = rng.standard_normal(image.shape, dtype=np.float32)
    image = np.clip(image + 4 * grain, 0, 255)
    return image.astype(np.uint8), [
        Person(joints, _visibility(joints, number, owners, parts), mask)
        for number, (joints, mask) in enumerate(people)
    ]


def _place_figures(rng: np.random.Generator, size: Tuple[int, int],
                   count: int) -> List[Joints]:
    """Pose figures; a new one covers at most a part of each before it."""
    width, height = size
    figures, boxes = [], []
    for _ in range(10 * count):
        tall = height * rng.uniform(0.45, 0.85)
        joints = {
            name: tall * point
            for name, point in sample_joints(rng).items()
        }
        points = np.array(list(joints.values()))
        low, high = points.min(axis=0), points.max(axis=0)
        spare = np.maximum(size - (high - low), 1)
        # The ankles may fall off the lower border, the arms off the sides.
        offset = rng.uniform(-0.05, 1.05, 2) * spare - low
        box = np.concatenate([low + offset, high + offset])
        if all(_overlap(box, other) < 0.3 for other in boxes):
            boxes.append(box)
            figures.append({n: p + offset for n, p in joints.items()})
        if len(figures) == count:
            break
    return figures


def _overlap(a: np.ndarray, b: np.ndarray) -> float:
    """Common area of two xyxy boxes over that of the smaller one."""
    sides = np.minimum(a[2:], b[2:]) - np.maximum(a[:2], b[:2])
    smaller = min(np.prod(a[2:] - a[:2]), np.prod(b[2:] - b[:2]))
    return np.prod(np.clip(sides, 0, None)) / smaller


def _visibility(joints: Joints, number: int, owners: np.ndarray,
                parts: List[Tuple[int, Part]]) -> dict:
    """COCO's visibility flag of each joint of person ``number``."""
    height, width = owners.shape
    flags = {}
    for name, (x, y) in joints.items():
        column, row = int(np.floor(x + 0.5)), int(np.floor(y + 0.5))
        if not (0 <= column < width and 0 <= row < height):
            flags[name] = 0
            continue
        person, part = parts[owners[row, column]]
        shown = owners[row, column] >= 0 and person == number
        flags[name] = 2 if shown and name in part.joints else 1
    return flags


def _draw_part(image: np.ndarray, part: Part,
               palette: Dict[str, Texture]) -> np.ndarray:
    """Fill a part with its texture.

    Returns:
        The pixels it covers, bool in shape (H, W).
    """
    alpha = np.zeros(image.shape[:2], dtype=np.uint8)
    fixed = np.round(part.polygon * 2**SUBPIXEL_BITS).astype(np.int32)
    hull = cv2.convexHull(fixed)
    cv2.fillConvexPoly(alpha, hull, 255, cv2.LINE_AA, SUBPIXEL_BITS)
    x, y, w, h = cv2.boundingRect(alpha)
    if w == 0:
        return alpha > 0
    area = np.s_[y:y + h, x:x + w]
    weight = alpha[area][..., None] / 255
    # A dark rim tells parts of one texture apart.
    core = cv2.erode(alpha[area], np.ones((3, 3), np.uint8))[..., None] / 255
    columns, rows = np.meshgrid(
        np.arange(x, x + w, dtype=np.float32),
        np.arange(y, y + h, dtype=np.float32))
    fill = palette[part.cloth](columns, rows) * (0.6 + 0.4 * core)
    image[area] = (1 - weight) * image[area] + weight * fill
    return alpha > 127


def _palette(rng: np.random.Generator) -> Dict[str, Texture]:
    """Textures of one figure."""
    skin = np.array(SKINS[rng.integers(len(SKINS))], dtype=np.float32)
    colours = dict(
        skin=skin,
        hair=(rng.uniform(10, 70), ) * 3,
        white=(235, 235, 235),
        black=(15, 15, 15),
        nose=skin * 0.6,
        red=(60, 50, 170))
    palette = {
        name: functools.partial(_flat, np.array(colour, dtype=np.float32))
        for name, colour in colours.items()
    }
    return dict(palette, shirt=_pattern(rng), trousers=_pattern(rng))


def _flat(colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return colour


def _pattern(rng: np.random.Generator) -> Texture:
    """Stripes, checks or blotches of two colours."""
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


def _noise(rng: np.random.Generator, size: Tuple[int, int],
           cell: int) -> np.ndarray:
    """Smooth noise of about unit variance, in shape (H, W)."""
    coarse = rng.normal(size=(size[1] // cell + 2, size[0] // cell + 2))
    coarse = coarse.astype(np.float32)
    return cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC)


def _background(rng: np.random.Generator, size: Tuple[int, int]) -> np.ndarray:
    """A textured background with things on it that are no people."""
    image = np.empty((size[1], size[0], 3), dtype=np.float32)
    image[:] = rng.uniform(60, 190, 3)
    for cell in (64, 24, 8):
        tint = rng.uniform(5, 25, 3).astype(np.float32)
        image += _noise(rng, size, cell)[..., None] * tint
    for _ in range(rng.integers(4, 10)):
        centre = rng.uniform(0, size)
        points = centre + rng.normal(0, rng.uniform(5, 40), (5, 2))
        _draw_part(image, Part(points, 'thing', ()),
                   dict(thing=_pattern(rng)))
    return image
