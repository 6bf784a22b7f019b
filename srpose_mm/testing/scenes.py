"""Scenes of the toy data set: textured figures in front of a background."""
from typing import Callable, Dict, List, NamedTuple, Tuple, Union

import cv2
import numpy as np

from .figures import Joints, Part, body_parts, sample_joints

SKINS = ((150, 190, 235), (110, 150, 205), (70, 100, 160), (45, 65, 110))
SUBPIXEL_BITS = 4

# A BGR colour, or a function of pixel columns and rows in shape (h, w) that
# returns BGR in shape (h, w, 3).
Texture = Union[np.ndarray, Callable[[np.ndarray, np.ndarray], np.ndarray]]


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
        for part in body_parts(joints, rng):
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
                  for name, point in sample_joints(rng).items()}
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
    colours = dict(skin=skin, hair=(rng.uniform(10, 70), ) * 3,
                   white=(235, 235, 235), black=(15, 15, 15),
                   nose=skin * 0.6, red=(60, 50, 170))
    plain = {name: np.array(colour, dtype=np.float32)
             for name, colour in colours.items()}
    return dict(plain, shirt=_pattern(rng), trousers=_pattern(rng))


def _pattern(rng: np.random.Generator) -> Texture:
    """Return stripes, checks or blotches of two colours."""
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
        centre = rng.uniform(0, size)
        points = centre + rng.normal(0, rng.uniform(5, 40), (5, 2))
        _draw_part(image, Part(points, 'shape', ()), _pattern(rng))
    return image
