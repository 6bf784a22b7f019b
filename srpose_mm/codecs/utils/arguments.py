"""Arguments of codecs: checks, defaults, and what two codecs agree on."""
from typing import Any, Optional, Sequence, Tuple

import numpy as np

# The values of the argument ``target`` of a codec.
TARGETS = ('heatmaps', 'keypoints')
# The settings that an encoder and its decoder share.
SETTINGS = ('input_size', 'heatmap_size', 'sigma', 'unbiased', 'use_udp')


def check_size(codec: Any, name: str, size: Any) -> Tuple[int, int]:
    """Return ``size`` as two positive integers, (w, h), or raise."""
    if not (isinstance(size, (tuple, list)) and len(size) == 2
            and all(isinstance(s, (int, np.integer)) and s > 0 for s in size)):
        raise ValueError(
            f'{type(codec).__name__}: expected {name} to be (width, height) '
            f'in whole cells, got {size}')
    return tuple(int(s) for s in size)


def check_positive(codec: Any, name: str, value: Any) -> float:
    """Return ``value`` as a positive float, or raise."""
    if isinstance(value, str) or not np.isscalar(value):
        raise TypeError(f'{type(codec).__name__}: expected {name} to be a '
                        f'number, got {value!r}')
    if not value > 0:
        raise ValueError(
            f'{type(codec).__name__}: expected a positive {name}, got '
            f'{value}; it is in heatmap cells, leave it out for the default')
    return float(value)


def check_odd(codec: Any, name: str, value: Any) -> int:
    """Return ``value`` if it is an odd, positive integer, or raise."""
    if not isinstance(value, int) or value < 1 or value % 2 != 1:
        raise ValueError(f'{type(codec).__name__}: expected an odd, positive '
                         f'{name}, got {value!r}')
    return value


def check_choice(codec: Any, name: str, value: Any, choices: Sequence) -> Any:
    """Return ``value`` if it is one of ``choices``, or raise."""
    if value not in choices:
        raise ValueError(f'{type(codec).__name__}: expected {name} to be one '
                         f'of {tuple(choices)}, got {value!r}')
    return value


def matching_blur(sigma: float) -> int:
    """Return the blur size of DARK for a sigma: 11 for 2, 51 for 8.

    It solves sigma = 0.3 * ((size - 1) / 2 - 1) + 0.8, OpenCV's rule.
    """
    radius = round((sigma - 0.8) / 0.3 + 1)
    return 2 * max(radius, 1) + 1


def codec_settings(codec: Any) -> dict:
    """Return those of ``SETTINGS`` that a codec has, with sizes as tuples."""
    settings = {
        name: getattr(codec, name)
        for name in SETTINGS if hasattr(codec, name)
    }
    return {
        name: tuple(value) if name.endswith('size') else value
        for name, value in settings.items()
    }


def encoder_of_samples(codec: Any, crop: Optional[Sequence[int]],
                       instances: int) -> dict:
    """Return what an encoder adds to a sample of a pipeline: its settings.

    The head compares the settings with those of its decoder. They are a tuple
    of one dict for each instance, since MMPose's pipeline packs nothing else.

    Args:
        codec: The encoder.
        crop: The pipeline's ``input_size``, (w, h) in px; ``None`` outside a
            pipeline, where nothing is added.
        instances: Number of instances.

    Raises:
        ValueError: If the pipeline crops to another size than the codec's.
    """
    if crop is None:
        return {}
    if tuple(crop) != tuple(codec.input_size):
        raise ValueError(
            f'{type(codec).__name__}: expected crops of its input_size '
            f'{tuple(codec.input_size)} (width, height), got {tuple(crop)} '
            f'from the pipeline; write input_size={tuple(crop)} in the codec, '
            'the one of GenerateTarget and the one of the head, or change the '
            'pipeline\'s')
    return dict(encoder=(codec_settings(codec), ) * instances)
