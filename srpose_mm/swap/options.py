from typing import NamedTuple, Optional, Sequence, Tuple, Union

Size = Tuple[int, int]


class SwapOptions(NamedTuple):
    """What a user chooses about the new head; ``None`` leaves it to us.

    Attributes:
        heatmap_size: (W, H) of the heatmaps, in cells.
        upscale_factor: Heatmap cells for one cell of the features that the
            last SR block gets.
        sigma: Standard deviation of the target's Gaussian in heatmap cells.
        refine: How a peak is refined, see :class:`SRHeatmap`.
        unbiased: Whether the Gaussian is centred on the keypoint itself.
        embed_channels: Channels of the embedding of one keypoint; for SRPose
            also one number for each level, coarse to fine.
    """
    heatmap_size: Optional[Size] = None
    upscale_factor: Optional[int] = None
    sigma: Optional[float] = None
    refine: Optional[str] = None
    unbiased: Optional[bool] = None
    embed_channels: Union[None, int, Sequence[int]] = None

    def fit(self, grid: Size, input_size: Size) -> Tuple[int, Size]:
        """The upscale factor and the size of the heatmaps.

        Args:
            grid: (W, H) of the features that the SR block gets, in cells.
            input_size: (w, h) of the input, in px.

        Returns:
            The factor and (W, H) of the heatmaps. Without a choice it is the
            input's size, or the largest below that a whole factor reaches.

        Raises:
            ValueError: If both are chosen, or no whole factor reaches the
                chosen size; names those that can be reached.
        """
        if self.heatmap_size is not None and self.upscale_factor is not None:
            raise ValueError(
                'swap_head: expected heatmap_size or upscale_factor, got '
                f'both, {tuple(self.heatmap_size)} and '
                f'{self.upscale_factor}; leave one out')
        wanted = self.heatmap_size or input_size
        factor = self.upscale_factor
        if factor is None:
            factor = max(1, min(wanted[0] // grid[0], wanted[1] // grid[1]))
        if not isinstance(factor, int) or factor < 1:
            raise ValueError('swap_head: expected upscale_factor to be a '
                             f'positive whole number, got {factor!r}')
        reached = factor * grid[0], factor * grid[1]
        if self.heatmap_size is not None and reached != tuple(wanted):
            raise ValueError(
                'swap_head: expected heatmap_size to be a multiple of the '
                f'features\' {grid[0]}x{grid[1]} (width x height), got '
                f'{tuple(wanted)}; choose for example {reached}')
        return factor, reached
