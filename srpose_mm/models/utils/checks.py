"""Checks of what a neck or head is given; messages name its class."""
from typing import Any, Sequence, Tuple

from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from srpose_mm.codecs.utils.arguments import codec_settings


def check_channels(module: nn.Module, feats: Sequence[Tensor],
                   in_channels: Sequence[int]) -> None:
    """Check the number of feature maps and the channels of each.

    Args:
        module: The neck or head that gets the features.
        feats: Feature maps in shape (B, C, H, W), coarse to fine.
        in_channels: Expected C of each.

    Raises:
        ValueError: If they differ; names the argument to change.
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
    """Check that ``in_channels`` is a sequence, one number for each level.

    Raises:
        TypeError: If it is no sequence, or empty.
    """
    if not isinstance(in_channels, (tuple, list)) or not in_channels:
        raise TypeError(
            f'{type(module).__name__}: expected in_channels to name the '
            'channels of each level, coarse to fine, got '
            f'{in_channels!r}')


def check_keypoints(head: nn.Module, source: str, got: int,
                    expected: int) -> None:
    """Check that ``source`` has the number of keypoints of the head.

    Raises:
        ValueError: If the numbers differ.
    """
    if got != expected:
        raise ValueError(
            f'{type(head).__name__}: expected {expected} keypoints, got {got} '
            f'from {source}; out_channels of the head, num_keypoints of the '
            'neck, the annotations and the metainfo have to agree')


def check_heatmap_size(head: nn.Module, got_hw: Sequence[int],
                       expected_hw: Sequence[int]) -> None:
    """Check that predicted heatmaps have the size of the codec's.

    Args:
        head: The head, with ``last_block`` and ``factor_argument``.
        got_hw: (H, W) of the predicted heatmaps.
        expected_hw: (H, W) of the codec's heatmaps.

    Raises:
        ValueError: If they differ; names the upscale factor to set.
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

    Later calls return at once.

    Args:
        head: The head; its ``codecs_agree`` is set.
        batch_data_samples: B samples for training.
        target_size: (W, H) of the targets.

    Raises:
        ValueError: If two of them differ; names both and what to write.
    """
    if getattr(head, 'codecs_agree', False) or head.decoder is None:
        return
    records = [
        sample.gt_instance_labels.get('encoder')
        for sample in batch_data_samples
    ]
    if all(record == () for record in records):
        return  # without an instance the encoder is not known yet
    encoder = next(filter(None, records), [{}])[0]
    decoder = codec_settings(head.decoder)
    different = [
        f'{key}={decoder[key]} instead of {encoder[key]}' for key in encoder
        if encoder[key] != decoder.get(key, encoder[key])
    ]
    if different:
        raise ValueError(
            f'{type(head).__name__}: expected the decoder to be the codec of '
            f'the pipeline\'s encoder, got {", ".join(different)}; write '
            'decoder=dict(_delete_=True, **codec) with the codec of '
            'GenerateTarget (without _delete_ a config is merged into the '
            'decoder of its base), or give GenerateTarget the codec of the '
            'head')
    expected = decoder.get('heatmap_size', target_size)
    if target_size != expected:
        raise ValueError(
            f'{type(head).__name__}: expected targets of the decoder\'s '
            f'heatmap_size {expected} (width, height), got {target_size} from '
            'the pipeline\'s encoder; write encoder=codec, with the codec of '
            'the head, in GenerateTarget of the pipeline that '
            'train_dataloader uses')
    check_crop(head, batch_data_samples)
    head.codecs_agree = True


def check_crop(head: nn.Module, batch_data_samples: SampleList) -> None:
    """Check that the pipeline crops to the decoder's input size.

    Raises:
        ValueError: If the sizes differ; names both and what to write.
    """
    expected = getattr(head.decoder, 'input_size', None)
    crop = batch_data_samples[0].get('input_size')
    if None in (expected, crop) or tuple(crop) == tuple(expected):
        return
    raise ValueError(
        f'{type(head).__name__}: expected crops of the decoder\'s input_size '
        f'{tuple(expected)} (width, height), got {tuple(crop)} from the '
        f'pipeline; write input_size={tuple(crop)} in the codec of the head '
        '(and of GenerateTarget), or change the pipeline\'s')


def _by(size_hw: Sequence[int]) -> str:
    """Write (H, W) as width x height."""
    return f'{size_hw[1]}x{size_hw[0]}'
