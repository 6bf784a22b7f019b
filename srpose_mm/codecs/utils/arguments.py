"""Checks and defaults of codecs' arguments; ``owner`` is the class to name."""
from typing import Any, Sequence, Tuple

import numpy as np

# What a sample carries to the head.
TARGETS = ('heatmaps', 'keypoints')


def check_size(owner: str, name: str, size: Any) -> Tuple[int, int]:
    """Check that ``size`` is two positive whole numbers, (w, h)."""
    if not (isinstance(size, (tuple, list)) and len(size) == 2
            and all(isinstance(s, (int, np.integer)) and s > 0 for s in size)):
        raise ValueError(f'{owner}: expected {name} to be (width, height) '
                         f'in whole cells, got {size}')
    return tuple(int(s) for s in size)


def check_positive(owner: str, name: str, value: Any) -> float:
    """Check that ``value`` is a positive number, and make it a float."""
    if isinstance(value, str) or not np.isscalar(value):
        raise TypeError(
            f'{owner}: expected {name} to be a number, got {value!r}')
    if not value > 0:
        raise ValueError(
            f'{owner}: expected a positive {name}, got {value}; it is in '
            'heatmap cells, leave it out for the default')
    return float(value)


def check_odd(owner: str, name: str, value: int) -> None:
    """Check that ``value`` is an odd, positive whole number."""
    if value < 1 or value % 2 != 1:
        raise ValueError(
            f'{owner}: expected an odd, positive {name}, got {value}')


def check_choice(owner: str, name: str, value: Any,
                 choices: Sequence[str]) -> str:
    """Check that ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(
            f'{owner}: expected {name} to be one of {tuple(choices)}, got '
            f'{value!r}')
    return value


def matching_blur(sigma: float) -> int:
    """Blur size of DARK for targets of ``sigma``: 11 for 2, 51 for 8.

    It solves sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8, OpenCV's rule.
    """
    radius = round((sigma - 0.8) / 0.3 + 1)
    return 2 * max(radius, 1) + 1
