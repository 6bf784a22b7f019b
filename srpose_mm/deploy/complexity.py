import copy
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Tuple

import torch
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.registry import MODELS
from tabulate import tabulate
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from ..configs import ConfigLike, load_config, type_name

Size = Optional[Tuple[int, int]]


class Complexity(NamedTuple):
    """Size and cost of a model as it is deployed.

    Attributes:
        backbone_params: Parameters of the backbone.
        other_params: Parameters of everything else: neck and head.
        gflops: Multiply-accumulates for one image, in billions.
    """
    backbone_params: int
    other_params: int
    gflops: float


class Reported(NamedTuple):
    """The paper's parameters of neck and head, in millions, and GFLOPs."""
    other_mparams: float
    gflops: float


# Reported in arXiv 2307.16765, not measured here. ResNet-50 and HRNet-W32 are
# counted there as `complexity` counts, to 1 %; the other two are not.
PAPER = {
    ('ResNet-50', 'simple', 'top-down'): Reported(10.49, 5.46),
    ('ResNet-50', 'sr_head', 'top-down'): Reported(10.59, 5.77),
    ('ResNet-50', 'srpose', 'top-down'): Reported(1.29, 4.61),
    ('HRNet-W32', 'simple', 'top-down'): Reported(0.00, 7.70),
    ('HRNet-W32', 'sr_head', 'top-down'): Reported(0.09, 7.98),
    ('HRNet-W32', 'srpose', 'top-down'): Reported(0.65, 8.28),
    ('TransPose-R-A4', 'simple', 'top-down'): Reported(1.06, 8.91),
    ('TransPose-R-A4', 'sr_head', 'top-down'): Reported(1.16, 9.23),
    ('TransPose-R-A4', 'srpose', 'top-down'): Reported(0.55, 6.26),
    ('HRFormer-S', 'simple', 'top-down'): Reported(0.00, 2.82),
    ('HRFormer-S', 'sr_head', 'top-down'): Reported(0.09, 3.09),
    ('HRFormer-S', 'srpose', 'top-down'): Reported(0.65, 3.34),
    ('ResNet-50', 'simple', 'bottom-up'): Reported(10.49, 29.20),
    ('ResNet-50', 'sr_head', 'bottom-up'): Reported(10.60, 30.86),
    ('HRNet-W32', 'simple', 'bottom-up'): Reported(0.00, 41.10),
    ('HRNet-W32', 'sr_head', 'bottom-up'): Reported(0.09, 42.57),
}
HEADS = dict(
    HeatmapHead='simple',
    SRHead='sr_head',
    SRPoseHead='srpose',
    AssociativeEmbeddingHead='simple',
    SRAssociativeEmbeddingHead='sr_head')
# The paper's input sizes, (width, height).
KINDS = dict(
    TopdownPoseEstimator=('top-down', (192, 256)),
    BottomupPoseEstimator=('bottom-up', (512, 512)))


def complexity(config: ConfigLike, input_size: Size = None) -> Complexity:
    """Count what a model costs as it is deployed.

    One multiplication and its addition count as one, in convolutions and
    matrix products; all else, e.g. normalisation, is left out. A parameter
    counts if what the model predicts depends on it: parts that serve training
    only, such as the coarser levels of :class:`SRPoseHead`, do not. Nothing
    is computed and no weights are loaded: tensors have shapes only.

    Args:
        config: A config, its file, or a name such as ``'mmpose::body_2d_...'``
            for one that an installed package brings; of this package and
            MMPose the bare name is enough.
        input_size: (width, height) of the image, in px; ``None`` takes that
            of the config's codec.

    Returns:
        Parameters and GFLOPs.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If the config has no model, or no codec to tell the
            size of the input.
    """
    cfg = load_config(config)
    width, height = _input_size(cfg, input_size)
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    model_cfg = copy.deepcopy(cfg.model)
    if model_cfg.get('backbone'):
        model_cfg.backbone.pop('init_cfg', None)
    model = MODELS.build(model_cfg).eval().to('meta')
    for parameter in model.parameters():
        parameter.requires_grad_(True)
    for module in model.modules():
        # Running parts twice to save memory is not what is counted, and torch
        # before 2.2 cannot do it on the meta device.
        if hasattr(module, 'with_cp'):
            module.with_cp = False
    counter = FlopCounterMode(display=False)
    with torch.enable_grad():
        with counter:
            outputs = model(
                torch.empty(1, 3, height, width, device='meta'), None)
        sum(output.sum() for output in _tensors(outputs)).backward()
    backbone, others = _count_used(model)
    # The counter takes a multiplication and its addition for two.
    return Complexity(backbone, others, counter.get_total_flops() / 2e9)


def reported_in_paper(config: ConfigLike,
                      input_size: Size = None) -> Optional[Reported]:
    """What the paper reports of a config's model.

    Args:
        config: As for :func:`complexity`.
        input_size: As for :func:`complexity`.

    Returns:
        The numbers; ``None`` if the paper has none for this backbone, head,
        input size and number of keypoints.
    """
    cfg = load_config(config)
    model = cfg.model
    head = model.get('head') or {}
    kind, size = KINDS.get(type_name(model), (None, None))
    keypoints = head.get('out_channels', head.get('num_keypoints'))
    if _input_size(cfg, input_size) != size or keypoints != 17:
        return None
    scheme = HEADS.get(type_name(head))
    return PAPER.get((_backbone_name(model.backbone), scheme, kind))


def complexity_report(configs: List[ConfigLike],
                      input_size: Size = None) -> List[dict]:
    """The complexity of several models, beside what the paper reports.

    Args:
        configs: As for :func:`complexity`.
        input_size: As for :func:`complexity`, for all of them.

    Returns:
        For each config its name, the fields of :class:`Complexity` and, as
        ``paper``, those of :class:`Reported` or ``None``.
    """
    report = []
    for config in configs:
        cfg = load_config(config)
        name = cfg.filename if isinstance(config, Config) else config
        reported = reported_in_paper(cfg, input_size)
        report.append(
            dict(
                config=Path(name or 'unnamed').stem,
                **complexity(cfg, input_size)._asdict(),
                paper=reported and reported._asdict()))
    return report


def format_report(report: List[dict]) -> str:
    """A report of :func:`complexity_report` as a table in Markdown."""
    rows = []
    for row in report:
        others, gflops = row['other_params'] / 1e6, row['gflops']
        params, flops = [f'{others:.2f}', '', ''], [f'{gflops:.2f}', '', '']
        if row['paper']:
            wanted = Reported(**row['paper'])
            params[1:] = (f'{wanted.other_mparams:.2f}',
                          f'{others - wanted.other_mparams:+.3f}')
            flops[1:] = (f'{wanted.gflops:.2f}',
                         f'{100 * (gflops / wanted.gflops - 1):+.1f} %')
        backbone = f'{row["backbone_params"] / 1e6:.2f}'
        rows.append([row['config'], backbone, *params, *flops])
    table = tabulate(
        rows,
        headers=[
            'config', 'backbone M', 'other M', 'paper*', 'diff', 'GFLOPs',
            'paper*', 'diff'
        ],
        tablefmt='github',
        disable_numparse=True,
        colalign=['left'] + 7 * ['right'])
    return f'{table}\n* reported in arXiv 2307.16765, not measured'


def _backbone_name(cfg: dict) -> Optional[str]:
    """The name that the paper has for a backbone."""
    name = type_name(cfg)
    if name == 'ResNet':
        return f'ResNet-{cfg.depth}'
    if name == 'TransPose' and cfg.get('depth', 50) == 50:
        return f'TransPose-R-A{cfg.get("num_layers", 4)}'
    if name in ('HRNet', 'HRFormer'):
        size = cfg.extra.stage4.num_channels[0]
        return {
            ('HRNet', 32): 'HRNet-W32',
            ('HRFormer', 32): 'HRFormer-S'
        }.get((name, size))
    return None


def _input_size(cfg: Config, input_size: Size) -> Tuple[int, int]:
    if input_size is None:
        head = cfg.model.get('head') or {}
        codec = cfg.get('codec') or head.get('decoder') or {}
        # Some models have a codec for each of their stages.
        codec = codec[0] if isinstance(codec, list) else codec
        input_size = codec.get('input_size')
    if input_size is None:
        raise ValueError('complexity: expected the config to have a codec '
                         'with an input_size, got none; give input_size')
    if len(input_size) != 2 or min(input_size) < 1:
        raise ValueError('complexity: expected input_size to be a positive '
                         f'(width, height), got {tuple(input_size)}')
    return tuple(input_size)


def _tensors(outputs: Any) -> Iterator[Tensor]:
    """The tensors that have a gradient in nested outputs."""
    if isinstance(outputs, Tensor):
        if outputs.requires_grad:
            yield outputs
        return
    if isinstance(outputs, dict):
        outputs = outputs.values()
    for output in outputs:
        yield from _tensors(output)


def _count_used(model: nn.Module) -> Tuple[int, int]:
    """Parameters with a gradient, in the backbone and elsewhere."""
    counts = [0, 0]
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            counts[not name.startswith('backbone.')] += parameter.numel()
    return tuple(counts)
