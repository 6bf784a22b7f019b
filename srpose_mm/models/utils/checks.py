from typing import Any, Sequence, Tuple

from torch import Tensor


def check_channels(owner: str, feats: Sequence[Tensor],
                   in_channels: Sequence[int]) -> None:
    """Check the number of feature maps and the channels of each.

    Args:
        owner: Class name for the message.
        feats: Feature maps in shape (B, C, H, W).
        in_channels: Expected C of each.

    Raises:
        ValueError: If they differ; names the map and what to set.
    """
    got = [feat.shape[1] for feat in feats]
    if got != list(in_channels):
        raise ValueError(
            f'{owner}: expected {len(in_channels)} feature maps with '
            f'{list(in_channels)} channels, got {len(got)} with {got}; set '
            'in_channels (and the backbone\'s outputs) to match')


def check_level_channels(owner: str, in_channels: Any) -> None:
    """Check that ``in_channels`` is a sequence, one number for each level.

    Raises:
        TypeError: If it is not, or empty.
    """
    if not isinstance(in_channels, (tuple, list)) or not in_channels:
        raise TypeError(
            f'{owner}: expected in_channels to name the channels of each '
            f'level, coarse to fine, got {in_channels!r}')


def check_keypoints(owner: str, what: str, got: int, expected: int) -> None:
    """Check that as many keypoints are there as the head predicts.

    Args:
        owner: Class name for the message.
        what: What holds the keypoints.
        got: Their number there.
        expected: The head's number, K.

    Raises:
        ValueError: If they differ.
    """
    if got != expected:
        raise ValueError(
            f'{owner}: expected {expected} keypoints, got {got} from {what}; '
            'out_channels of the head, num_keypoints of the neck and the '
            'data set have to agree')


def check_heatmap_size(owner: str,
                       heatmaps: Tensor,
                       upscale_factor: int,
                       expected: Tuple[int, int],
                       argument: str = 'upscale_factor') -> None:
    """Check that predicted heatmaps have the size of the codec's.

    Args:
        owner: Class name for the message.
        heatmaps: Predicted heatmaps in shape (B, K, H, W).
        upscale_factor: The factor that made them from features.
        expected: (H, W) of the codec's heatmaps.
        argument: What the factor is called in the config.

    Raises:
        ValueError: If they differ; names the upscale factor to set.
    """
    got, expected = tuple(heatmaps.shape[-2:]), tuple(expected)
    if got == expected:
        return
    feat = [size // upscale_factor for size in got]
    factor = expected[0] // feat[0]
    if [factor * size for size in feat] == list(expected):
        remedy = f'set {argument} to {factor}'
    else:
        remedy = ('no whole upscale factor reaches that from features of '
                  f'{feat[1]}x{feat[0]}, set the codec\'s heatmap_size to '
                  f'({got[1]}, {got[0]})')
    raise ValueError(
        f'{owner}: expected heatmaps of the codec\'s size '
        f'{expected[1]}x{expected[0]} (width x height), got '
        f'{got[1]}x{got[0]} with a factor of {upscale_factor}; {remedy}')
