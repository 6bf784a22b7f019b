"""Checks of what a neck or head is given; messages name its class."""
from typing import Any, Sequence, Tuple

from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from srpose_mm.codecs.utils import arguments


def check_channels(module: nn.Module, feats: Sequence[Tensor],
                   in_channels: Sequence[int]) -> None:
    """Raise unless feature maps (B, C, H, W) are as many as in_channels.

    Both are ordered from coarse to fine; C of each map has to be its number in
    ``in_channels``.
    """
    got = [feat.shape[1] for feat in feats]
    if got == list(in_channels):
        return
    remedy = 'set in_channels (and the backbone\'s outputs) to match'
    if got[::-1] == list(in_channels):
        remedy = 'reverse in_channels, whose order is coarse to fine'
    raise ValueError(
        f'{type(module).__name__}: expected {len(in_channels)} feature maps '
        f'with {list(in_channels)} channels, got {len(got)} with {got}; '
        f'{remedy}')


def check_level_channels(module: nn.Module, in_channels: Any) -> None:
    """Raise a TypeError unless ``in_channels`` has a number for each level."""
    if not isinstance(in_channels, (tuple, list)) or not in_channels:
        raise TypeError(
            f'{type(module).__name__}: expected in_channels to name the '
            'channels of each level, coarse to fine, got '
            f'{in_channels!r}')


def check_keypoints(head: nn.Module, source: str, got: int,
                    expected: int) -> None:
    """Raise unless ``source`` has the number of keypoints of the head."""
    arguments.require(
        head, got == expected, f'expected {expected} keypoints, got {got} '
        f'from {source}; out_channels of the head, num_keypoints of the '
        'neck, the annotations and the metainfo have to agree')


def check_heatmap_size(head: nn.Module, got_hw: Sequence[int],
                       expected_hw: Sequence[int]) -> None:
    """Raise unless predicted heatmaps have the size (H, W) of the codec's.

    The error names ``head.factor_argument``, the upscale factor to set.
    """
    got_hw, expected_hw = tuple(got_hw), tuple(expected_hw)
    if got_hw == expected_hw:
        return
    current = head.last_block.upscale_factor
    feat_hw = [size // current for size in got_hw]
    factor = expected_hw[0] // feat_hw[0]
    if tuple(factor * size for size in feat_hw) == expected_hw:
        remedy = f'set {head.factor_argument} to {factor}'
    else:
        remedy = ('no upscale factor reaches that from features of '
                  f'{_by(feat_hw)}, set heatmap_size of the codec to '
                  f'{got_hw[::-1]}, in the encoder and in the decoder')
    raise ValueError(
        f'{type(head).__name__}: expected heatmaps of the codec\'s size '
        f'{_by(expected_hw)} (width x height), got {_by(got_hw)} with a '
        f'factor of {current}; {remedy}')


def check_codecs(head: nn.Module, batch_data_samples: SampleList,
                 target_size: Tuple[int, int]) -> None:
    """Compare crop, encoder and decoder at the first batch.

    It sets ``head.codecs_agree``; later calls return at once. The error for
    targets of another size than (W, H) names what to write.
    """
    if head.codecs_agree or head.decoder is None:
        return
    records = [
        sample.gt_instance_labels.get('encoder')
        for sample in batch_data_samples
    ]
    if all(record == () for record in records):
        return  # without an instance the encoder is not known yet
    encoder = next(filter(None, records), [{}])[0]
    decoder = arguments.codec_settings(head.decoder)
    different = [
        f'{key}={decoder[key]} instead of {encoder[key]}' for key in encoder
        if encoder[key] != decoder.get(key, encoder[key])
    ]
    arguments.require(
        head, not different, 'expected the decoder to be the codec of the '
        f'pipeline\'s encoder, got {", ".join(different)}; write '
        'decoder=dict(_delete_=True, **codec) with the codec of '
        'GenerateTarget (without _delete_ a config is merged into the decoder '
        'of its base), or give GenerateTarget the codec of the head')
    expected = decoder.get('heatmap_size', target_size)
    arguments.require(
        head, target_size == expected, 'expected targets of the decoder\'s '
        f'heatmap_size {expected} (width, height), got {target_size} from '
        'the pipeline\'s encoder; write encoder=codec, with the codec of '
        'the head, in GenerateTarget of the pipeline that '
        'train_dataloader uses')
    check_crop(head, batch_data_samples)
    head.codecs_agree = True


def check_crop(head: nn.Module, batch_data_samples: SampleList) -> None:
    """Raise unless the pipeline crops to the decoder's input size."""
    arguments.check_crop(head, head.decoder,
                         batch_data_samples[0].get('input_size'))


def _by(size_hw: Sequence[int]) -> str:
    """Write (H, W) as width x height."""
    return f'{size_hw[1]}x{size_hw[0]}'
