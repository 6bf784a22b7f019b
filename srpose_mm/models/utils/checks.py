"""Checks of what a neck or head is given; messages name its class."""
from typing import Any, Sequence, Set, Tuple

from mmpose.utils.typing import SampleList
from torch import Tensor, nn

from srpose_mm.codecs.utils import arguments


def check_channels(module: nn.Module, feats: Sequence[Tensor],
                   in_channels: Sequence[int]) -> None:
    """Raise unless the channels of feature maps (B, C, H, W) match.

    The maps and ``in_channels`` are ordered from coarse to fine.
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


def check_levels(module: nn.Module, **levels: Any) -> None:
    """Raise a TypeError unless arguments have a number for each level."""
    for name, values in levels.items():
        if not isinstance(values, (tuple, list)) or not values:
            raise TypeError(
                f'{type(module).__name__}: expected {name} to have a number '
                f'for each level, coarse to fine, got {values!r}')


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
    """Raise unless crop, encoder and decoder agree in all samples of a batch.

    Samples can come from several datasets, each with an encoder of its own.
    The error for targets of another size than (W, H) names what to write.
    """
    if head.decoder is None:
        return
    decoder = arguments.codec_settings(head.decoder)
    for record in _encoders(batch_data_samples):
        encoder = arguments.recorded_settings(record)
        different = [
            f'{key}={decoder[key]} instead of {value}'
            for key, value in encoder.items()
            if decoder.get(key, value) != value
        ]
        arguments.require(
            head, not different, 'expected the decoder to be the codec of the '
            f'pipeline\'s encoder, got {", ".join(different)}; write '
            'decoder=dict(_delete_=True, **codec) with the codec of '
            'GenerateTarget (without _delete_ a config is merged into the '
            'decoder of its base), or give GenerateTarget the codec of the '
            'head')
    expected = decoder.get('heatmap_size', target_size)
    arguments.require(
        head, target_size == expected, 'expected targets of the decoder\'s '
        f'heatmap_size {expected} (width, height), got {target_size} from '
        'the pipeline\'s encoder; write encoder=codec, with the codec of '
        'the head, in GenerateTarget of the pipeline that '
        'train_dataloader uses')
    check_crop(head, batch_data_samples)


def _encoders(batch_data_samples: SampleList) -> Set[tuple]:
    """Return the different settings of the encoders of a batch.

    Samples of stock encoders, and those without an instance, have none.
    """
    records = set()
    for sample in batch_data_samples:
        records.update(sample.gt_instance_labels.get('encoder') or ())
    return records


def check_crop(head: nn.Module, batch_data_samples: SampleList) -> None:
    """Raise unless the pipeline crops to the decoder's input size."""
    for sample in batch_data_samples:
        arguments.check_crop(head, head.decoder, sample.get('input_size'))


def check_cell_size(head: nn.Module, map_hw: Sequence[int],
                    metainfo: dict) -> None:
    """Raise unless bottom-up heatmaps (H, W) have cells of the decoder's size.

    The input of an image can have another size than the codec's, the cells of
    its heatmaps cannot.
    """
    if head.decoder is None or 'input_size' not in metainfo:
        return
    # Images of several sizes are padded to one.
    input_hw = metainfo.get('batch_input_shape',
                            metainfo['input_size'][::-1])
    expected = [
        pixels / cells for pixels, cells in zip(
            head.decoder.input_size[::-1], head.decoder.heatmap_size[::-1])
    ]
    got = [pixels / cells for pixels, cells in zip(input_hw, map_hw)]
    # The heatmaps of an odd size can cover more than the input.
    arguments.require(
        head, all(abs(a / b - 1) < 0.1 for a, b in zip(got, expected)),
        f'expected heatmap cells of {expected[1]:g} px, as the decoder\'s, '
        f'got {got[1]:g} px from heatmaps of {_by(map_hw)} for an input of '
        f'{_by(input_hw)}; set restore_heatmap_size=False in test_cfg, or '
        'heatmap_size of the decoder to its input_size')


def _by(size_hw: Sequence[int]) -> str:
    """Write (H, W) as width x height."""
    return f'{size_hw[1]}x{size_hw[0]}'
