"""The user's choices about a swap."""
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple, Union

from ..codecs import REFINEMENTS

Size = Tuple[int, int]


def _is_count(value: Any) -> bool:
    return type(value) is int and value > 0


def _are_counts(value: Any) -> bool:
    return isinstance(value, (tuple, list)) and all(map(_is_count, value))


# The values that each option accepts, and their description.
RULES = dict(
    heatmap_size=(lambda value: _are_counts(value) and len(value) == 2,
                  '(width, height), two positive integers'),
    upscale_factor=(_is_count, 'a positive integer'),
    sigma=(lambda value: type(value) in (int, float) and 0 < value < 1e9,
           'a positive number of heatmap cells'),
    refine=(REFINEMENTS.__contains__, f'one of {tuple(REFINEMENTS)}'),
    unbiased=(lambda value: type(value) is bool, 'True or False'),
    embed_channels=(lambda value: _is_count(value) or _are_counts(value),
                    'a positive integer, or one per level'),
    backbone=(lambda value: str(value).startswith('timm:'), '\'timm:NAME\''))


@dataclass
class SwapOptions:
    """The options of :func:`swap_head`; ``None`` selects the default.

    Args:
        heatmap_size: (W, H) of the heatmaps, in cells. The default is the
            input's size, or the largest smaller size that an integer upscale
            factor reaches.
        upscale_factor: Alternative to ``heatmap_size``: heatmap cells per
            cell of the features that the last SR block processes.
        sigma: Standard deviation of the target's Gaussian in heatmap cells.
            By default the stock width in input px stays; it is 8 px if the
            stock codec has no width.
        refine: Refinement of a peak, see :class:`SRHeatmap`. The default is
            ``'dark'`` if the stock codec refines so, else ``'shift'``.
        unbiased: Center the Gaussian on the keypoint, not on a cell. The
            default is the stock codec's way.
        embed_channels: Channels of the embedding of one keypoint. For
            ``'srpose'`` also one number per level, coarse to fine. The
            default is the head's.
        backbone: A new backbone, ``'timm:NAME'``, with timm's own weights and
            normalization of images. By default the stock backbone stays.

    Raises:
        ValueError: If a value is out of its range, or both ``heatmap_size``
            and ``upscale_factor`` are given.
    """
    heatmap_size: Optional[Size] = None
    upscale_factor: Optional[int] = None
    sigma: Optional[float] = None
    refine: Optional[str] = None
    unbiased: Optional[bool] = None
    embed_channels: Union[None, int, Sequence[int]] = None
    backbone: Optional[str] = None

    def __post_init__(self) -> None:
        for name, value in self.chosen(*RULES).items():
            is_valid, expected = RULES[name]
            if not is_valid(value):
                raise ValueError(
                    f'expected {name} to be {expected}, got {value!r}')
        if self.heatmap_size and self.upscale_factor:
            raise ValueError(
                'expected heatmap_size or upscale_factor, got both, '
                f'{self.heatmap_size} and {self.upscale_factor}; omit one')

    def chosen(self, *names: str) -> dict:
        """Return the values of those options that were chosen."""
        values = {name: getattr(self, name) for name in names}
        return {k: v for k, v in values.items() if v is not None}

    def fit(self, grid: Size, input_size: Size) -> Tuple[int, Size]:
        """Return the upscale factor and (W, H) of the heatmaps, in cells.

        Args:
            grid: (W, H) of the features that the SR block processes.
            input_size: (w, h) of the input, in px.

        Raises:
            ValueError: If no integer factor reaches ``heatmap_size``; names a
                size that can be reached.
        """
        wanted = tuple(self.heatmap_size or input_size)
        factor = self.upscale_factor or max(
            1, min(wanted[0] // grid[0], wanted[1] // grid[1]))
        reached = factor * grid[0], factor * grid[1]
        if self.heatmap_size and reached != wanted:
            raise ValueError(
                f'expected heatmap_size to be a multiple of {grid[0]}x'
                f'{grid[1]} (width x height), the size of the features, got '
                f'{wanted}; choose for example {reached}')
        return factor, reached
