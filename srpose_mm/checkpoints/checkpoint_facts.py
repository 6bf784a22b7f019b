"""What the shapes in a checkpoint of the authors' code tell about its model.

Letters: K keypoints, I and O the channels of a level before and after its
lateral convolution, E embedding channels of one keypoint, r upscale factor, k
kernel size.
"""
from itertools import count
from math import isqrt
from statistics import mode
from typing import Dict, NamedTuple, Tuple

Shape = Tuple[int, ...]
Shapes = Dict[str, Shape]

HEAD = 'keypoint_head.'
SRPOSE = 'srpose'
BOTTOM_UP = 'bottom-up sr head'

# Blocks of the four stages, whether they are bottlenecks -> depth.
RESNETS = {
    ((2, 2, 2, 2), False): 18,
    ((3, 4, 6, 3), False): 34,
    ((3, 4, 6, 3), True): 50,
    ((3, 4, 23, 3), True): 101,
    ((3, 8, 36, 3), True): 152,
}


class HeadFacts(NamedTuple):
    """The numbers of a neck and head, levels coarse to fine.

    ``in_channels`` are I, ``widths`` O of SRPose or the channels of the
    bottom-up head's deconvolutions. That head has one level in the other
    tuples.
    """

    family: str
    num_keypoints: int
    in_channels: Shape
    widths: Shape
    embed_channels: Shape
    upscale_factors: Shape
    kernel_sizes: Shape
    deconv_kernel_sizes: Shape = ()

    def configs(self) -> Dict[str, dict]:
        """Configs of the modules: ``neck`` (SRPose only) and ``head``."""
        if self.family == SRPOSE:
            neck = dict(
                type='SRPoseNeck',
                in_channels=self.in_channels,
                out_channels=self.widths,
                num_keypoints=self.num_keypoints)
            head = dict(
                type='SRPoseHead',
                in_channels=self.widths,
                out_channels=self.num_keypoints,
                embed_channels=self.embed_channels,
                upscale_factors=self.upscale_factors,
                kernel_sizes=self.kernel_sizes)
            return dict(neck=neck, head=head)
        head = dict(
            type='SRAssociativeEmbeddingHead',
            in_channels=self.in_channels[0],
            num_keypoints=self.num_keypoints,
            deconv_out_channels=self.widths,
            deconv_kernel_sizes=self.deconv_kernel_sizes,
            embed_channels=self.embed_channels[0],
            upscale_factor=self.upscale_factors[0],
            kernel_size=self.kernel_sizes[0])
        return dict(head=head)


def read_head(shapes: Shapes) -> HeadFacts:
    """Read the numbers of a head.

    Where several tensors tell a number the majority counts, so that a single
    wrong tensor is not what all others are measured by.

    Args:
        shapes: Key to shape, under the authors' keys.

    Returns:
        The numbers. Tensors that they do not come from can still be missing
        or have other shapes.

    Raises:
        ValueError: If the keys are of no known head, or a tensor is missing
            or has the wrong number of axes; names it.
    """
    parts = {
        key.split('.')[1]
        for key in shapes if key.startswith(HEAD)
    }
    if 'lr_head' in parts:
        return _read_srpose(shapes)
    if 'heatmap_head' in parts:
        return _read_bottom_up(shapes)
    raise ValueError(
        f'expected the keys of SRPose ({HEAD}lr_head.0.weight, ...) or of the '
        f'bottom-up SR head ({HEAD}heatmap_head.weight, ...), got '
        f'{sorted(shapes)[:3]} and others; give a checkpoint of the authors\' '
        'code')


def guess_backbone(shapes: Shapes) -> str:
    """Name a backbone by its tensors, or ``'unknown'``.

    Args:
        shapes: Key to shape, under ``backbone.``.
    """
    layers = sum(
        key.startswith('backbone.') and key.endswith('.in_proj_weight')
        for key in shapes)
    if layers:
        return f'TransPose with {layers} encoder layers'
    branch = shapes.get('backbone.stage4.0.branches.0.0.conv1.weight')
    if branch:
        return f'HRNet-W{branch[0]}'
    blocks = tuple(
        _count(shapes, f'backbone.layer{stage}.{{i}}.conv1.weight')
        for stage in range(1, 5))
    bottleneck = 'backbone.layer1.0.conv3.weight' in shapes
    depth = RESNETS.get((blocks, bottleneck))
    return f'ResNet-{depth}' if depth else 'unknown'


def _read_srpose(shapes: Shapes) -> HeadFacts:
    keypoints = mode([
        _size(shapes, 'lr_head.0.weight', 4),
        _size(shapes, 'lr_head.0.bias', 1),
        _size(shapes, 'lr_fuse.0.weight', 4, axis=1)
    ])
    in_channels, widths, blocks = [], [], []
    for i in range(
            _count(shapes, HEAD + 'pre_fuse.{i}.0.weight',
                   HEAD + 'kp_encoder.{i}.0.weight',
                   HEAD + 'converge.{i}.conv.weight')):
        in_channels.append(_size(shapes, f'pre_fuse.{i}.0.weight', 4, axis=1))
        widths.append(
            mode([
                _size(shapes, f'pre_fuse.{i}.0.weight', 4),
                _size(shapes, f'pre_fuse.{i}.0.bias', 1),
                _size(shapes, f'pre_fuse.{i}.1.weight', 1)
            ]))
        blocks.append(
            _read_sr_block(shapes, keypoints, f'kp_encoder.{i}.0',
                           f'converge.{i}.conv'))
    if not blocks:
        raise ValueError(f'missing key \'{HEAD}pre_fuse.0.0.weight\'')
    return HeadFacts(SRPOSE, keypoints, tuple(in_channels), tuple(widths),
                     *zip(*blocks))


def _read_bottom_up(shapes: Shapes) -> HeadFacts:
    keypoints = mode([
        _size(shapes, 'tag_head.weight', 4),
        _size(shapes, 'tag_head.bias', 1),
        _size(shapes, 'kp_encoder.0.bias', 1) //
        _size(shapes, 'heatmap_head.weight', 4, axis=1)
    ])
    in_channels = _size(shapes, 'tag_head.weight', 4, axis=1)
    widths, kernels = [], []
    # Three modules each: deconvolution, normalisation, ReLU.
    for j in range(
            _count(shapes, HEAD + 'deconv_layers.{first}.weight',
                   HEAD + 'deconv_layers.{second}.weight')):
        weight = f'deconv_layers.{3 * j}.weight'
        in_channels = _size(shapes, 'deconv_layers.0.weight', 4)
        widths.append(
            mode([
                _size(shapes, weight, 4, axis=1),
                _size(shapes, f'deconv_layers.{3 * j + 1}.weight', 1),
                _size(shapes, f'deconv_layers.{3 * j + 1}.bias', 1)
            ]))
        kernels.append(_size(shapes, weight, 4, axis=3))
    block = _read_sr_block(shapes, keypoints, 'kp_encoder.0', 'heatmap_head')
    return HeadFacts(BOTTOM_UP, keypoints, (in_channels, ), tuple(widths),
                     *zip(block), tuple(kernels))


def _read_sr_block(shapes: Shapes, keypoints: int, encoder: str,
                   predictor: str) -> Shape:
    """E, r and k of an SR block."""
    embed = mode([
        _size(shapes, f'{encoder}.weight', 4) // keypoints,
        _size(shapes, f'{encoder}.bias', 1) // keypoints,
        _size(shapes, f'{predictor}.weight', 4, axis=1)
    ])
    cells = _size(shapes, f'{predictor}.weight', 4) // keypoints
    # An odd size at least 1; the tensor's shape is compared with it later.
    kernel = _size(shapes, f'{predictor}.weight', 4, axis=3) | 1
    return max(embed, 1), max(isqrt(cells), 1), kernel


def _size(shapes: Shapes, key: str, ndim: int, axis: int = 0) -> int:
    """One size of a tensor of the head, which has to be there."""
    if HEAD + key not in shapes:
        raise ValueError(f'missing key {HEAD + key!r}')
    shape = shapes[HEAD + key]
    if len(shape) != ndim or 0 in shape:
        raise ValueError(f'expected {HEAD + key!r} with {ndim} axes, none of '
                         f'them empty, got shape {shape}')
    return shape[axis]


def _count(shapes: Shapes, *templates: str) -> int:
    """How many layers there are, numbered from 0.

    The template that finds most decides, so that a missing tensor is noticed
    as missing and does not make the rest unknown.
    """

    def found(template, i):
        return template.format(i=i, first=3 * i, second=3 * i + 1) in shapes

    return max(
        next(i for i in count() if not found(template, i))
        for template in templates)
