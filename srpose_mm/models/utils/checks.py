"""Checks of what a neck or head is given; messages name its class."""
from typing import Any, Sequence

from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from srpose_mm.codecs.utils import codec_settings


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
            'neck and the data set have to agree')


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
                 shape: Sequence[int]) -> None:
    """Compare crop, encoder, decoder and metainfo, at the first batch.

    Later calls return at once.

    Args:
        head: The head; its ``codecs_agree`` is set.
        batch_data_samples: B samples for training.
        shape: Shape of the targets, (B, K, H, W).

    Raises:
        ValueError: If two of them differ; names both and what to write.
    """
    if getattr(head, 'codecs_agree', False):
        return
    name = type(head).__name__
    flip = batch_data_samples[0].get('flip_indices')
    if flip is not None and len(flip) != shape[1]:
        raise ValueError(
            f'{name}: expected metainfo of {shape[1]} keypoints, as many as '
            f'the annotations hold, got {len(flip)}; set metainfo of the data '
            'set to the file that describes its keypoints')
    if head.decoder is not None:
        decoder = codec_settings(head.decoder)
        records = [
            sample.gt_instance_labels.get('encoder')
            for sample in batch_data_samples
        ]
        if all(record == () for record in records):
            return  # no instance yet whose encoder is known
        encoder = next(filter(None, records), [{}])[0]
        both = [key for key in encoder if key in decoder]
        if any(encoder[key] != decoder[key] for key in both):
            raise ValueError(
                f'{name}: expected the head\'s decoder to be the codec of the '
                'pipeline\'s encoder, got ' + ', '.join(
                    f'{key}={decoder[key]} instead of {encoder[key]}'
                    for key in both if encoder[key] != decoder[key]) +
                '; write decoder=dict(_delete_=True, **codec) with the codec '
                'of GenerateTarget (without _delete_ a config is merged into '
                'the decoder of its base), or give GenerateTarget the codec '
                'of the head')
        target_size = tuple(shape[:1:-1])
        if target_size != decoder.get('heatmap_size', target_size):
            raise ValueError(
                f'{name}: expected targets of the decoder\'s heatmap_size '
                f'{decoder["heatmap_size"]} (width, height), got '
                f'{target_size} from the pipeline\'s encoder; write '
                'encoder=codec, with the codec of the head, in GenerateTarget '
                'of the pipeline that train_dataloader uses')
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
