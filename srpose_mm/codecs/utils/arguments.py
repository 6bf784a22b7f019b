"""Checks of arguments, and what an encoder and its decoder agree on."""
from typing import Any, Optional, Sequence, Tuple

import numpy as np

# The values of the argument ``target`` of a codec.
TARGETS = ('heatmaps', 'keypoints')
# The settings that an encoder and its decoder share.
SETTINGS = ('input_size', 'heatmap_size', 'sigma', 'unbiased', 'use_udp')


def require(owner: Any, valid: bool, message: str) -> None:
    """Raise a ValueError that names the owner's class, unless ``valid``."""
    if not valid:
        raise ValueError(f'{type(owner).__name__}: {message}')


def check_sizes(codec: Any, input_size: Any,
                heatmap_size: Any) -> Tuple[Tuple[int, int], Tuple[int, int]]:
    """Return both sizes as integers, (w, h) and (W, H), or raise."""
    input_size = check_size(codec, 'input_size', input_size)
    if heatmap_size is None:
        heatmap_size = input_size
    return input_size, check_size(codec, 'heatmap_size', heatmap_size)


def check_size(codec: Any, name: str, size: Any) -> Tuple[int, int]:
    """Return ``size`` as two positive integers, (w, h), or raise."""
    valid = isinstance(size, (tuple, list)) and len(size) == 2 and all(
        isinstance(s, (int, np.integer)) and s > 0 for s in size)
    require(codec, valid, f'expected {name} to be (width, height), two '
            f'positive integers, got {size!r}')
    return tuple(int(s) for s in size)


def check_sigma(codec: Any, sigma: Any) -> float:
    """Return ``sigma`` as a positive, finite float, or raise."""
    if isinstance(sigma, str) or not np.isscalar(sigma):
        raise TypeError(f'{type(codec).__name__}: expected sigma to be a '
                        f'number, got {sigma!r}')
    require(codec, 0 < sigma < np.inf, 'expected a positive, finite sigma, '
            f'got {sigma}; it is in heatmap cells, leave it out for the '
            'default')
    return float(sigma)


def check_positive_integers(owner: Any, **numbers: Any) -> None:
    """Raise unless all ``numbers`` are positive integers."""
    for name, value in numbers.items():
        require(owner, type(value) is int and value > 0,
                f'expected {name} to be a positive integer, got {value!r}')


def check_odd(codec: Any, name: str, value: Any) -> None:
    """Raise unless ``value`` is an odd, positive integer."""
    require(codec, type(value) is int and value > 0 and value % 2 == 1,
            f'expected an odd, positive {name}, got {value!r}')


def check_choice(codec: Any, name: str, value: Any, choices: Sequence) -> None:
    """Raise unless ``value`` is one of ``choices``."""
    require(codec, value in choices, f'expected {name} to be one of '
            f'{tuple(choices)}, got {value!r}')


def check_udp(codec: Any, use_udp: Any, heatmap_size: Tuple[int, int]) -> None:
    """Raise unless ``use_udp`` is a bool that heatmaps (W, H) can have."""
    check_choice(codec, 'use_udp', use_udp, (True, False))
    require(codec, not use_udp or min(heatmap_size) > 1,
            'expected a heatmap_size of 2 or more cells on each side with '
            f'use_udp=True, got {heatmap_size}')


def matching_blur(sigma: float) -> int:
    """Return the blur size of DARK for a sigma: 11 for 2, 51 for 8.

    It solves sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8, OpenCV's rule.
    """
    radius = round((sigma - 0.8) / 0.3 + 1)
    return 2 * max(radius, 1) + 1


def codec_settings(codec: Any) -> dict:
    """Return those of ``SETTINGS`` that a codec has, with sizes as tuples."""
    return {
        name: tuple(value) if name.endswith('size') else value
        for name, value in vars(codec).items() if name in SETTINGS
    }


def check_crop(owner: Any, codec: Any, crop: Optional[Sequence[int]]) -> None:
    """Raise unless a pipeline's crop (w, h), if known, fits the codec."""
    expected = getattr(codec, 'input_size', None)
    if expected is None or crop is None:
        return
    expected, crop = tuple(expected), tuple(crop)
    require(owner, crop == expected, 'expected crops of the codec\'s '
            f'input_size {expected} (width, height), got {crop} from the '
            f'pipeline; write input_size={crop} in the codec, the one of '
            'GenerateTarget and the one of the head, or change the '
            'pipeline\'s')


def encoder_of_samples(codec: Any, crop: Optional[Sequence[int]],
                       instances: int) -> dict:
    """Return what an encoder adds to a sample of a pipeline: its settings.

    The head compares the settings with those of its decoder. They are a tuple
    of numbers for each instance: MMPose packs one entry for each instance, and
    stacks those of several encoders. Outside a pipeline, where there is no
    crop, nothing is added.
    """
    check_crop(codec, codec, crop)
    if crop is None:
        return {}
    record = (*codec.input_size, *codec.heatmap_size, codec.sigma,
              getattr(codec, 'unbiased', False), codec.use_udp)
    return dict(encoder=(record, ) * instances)


def recorded_settings(record: Sequence[float]) -> dict:
    """Return the settings of one entry of :func:`encoder_of_samples`."""
    width, height, columns, rows, *others = record
    return dict(zip(SETTINGS, ((width, height), (columns, rows), *others)))
