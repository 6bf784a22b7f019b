from typing import Dict, Sequence

from torch import Tensor

from .reference import PIXELS, TOLERANCE, Expected


class ExportMismatch(RuntimeError):
    """An exported file that gives something else than its model."""


def differences(expected: Expected, got: Sequence[Tensor],
                owner: str) -> Dict[str, float]:
    """Compare what a file gives with what its model gives.

    Args:
        expected: What the model gives.
        got: What the file gives, in the same order.
        owner: What messages of errors start with.

    Returns:
        The largest difference of each output: of keypoints in input px, over
        the steady ones, of others as a part of the highest value.

    Raises:
        ExportMismatch: If an output has another shape or type, or differs by
            more than 0.01 px or 1e-4 of the highest value.
    """
    if len(got) != len(expected.outputs):
        raise ExportMismatch(
            f'{owner}: expected a file that gives {list(expected.outputs)}, '
            f'got {len(got)} tensors; no file is written')
    found = {}
    for (name, want), have in zip(expected.outputs.items(), got):
        if have.shape != want.shape or have.dtype != want.dtype:
            raise ExportMismatch(
                f'{owner}: expected {name} of the file in shape '
                f'{tuple(want.shape)} and {want.dtype}, got '
                f'{tuple(have.shape)} and {have.dtype}; no file is written')
        error, limit, unit = (have - want).abs(), PIXELS, 'px'
        if name == 'keypoints':
            error = error[expected.steady]
        else:
            limit, unit = TOLERANCE, 'of the highest value'
            error = error / want.abs().max().clamp_min(1e-30)
        largest = error.max().item() if error.numel() else 0.
        # Not the other way round: NaN has to fail.
        if not largest <= limit:
            raise ExportMismatch(
                f'{owner}: expected {name} of the file to be those of PyTorch '
                f'to {limit:g} {unit}, got a difference of {largest:.3g} with '
                f'{len(want)} images; no file is written')
        found[name] = largest
    return found
