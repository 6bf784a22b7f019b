"""Swap the head of a config."""
from copy import deepcopy
from typing import Any

from mmengine.config import Config

from ..configs import ConfigLike, load_config
from .codec_and_data import make_codec, replace_pipelines, set_flip
from .features import find_timm_backbone
from .options import SwapOptions
from .schemes import SCHEMES
from .stock_model import read_stock_model


def swap_head(cfg: ConfigLike, scheme: str = 'sr', **options: Any) -> Config:
    """Return the config of a stock model with a super-resolution head.

    Head, neck, codec, every pipeline that names the codec and the settings of
    the flip test are replaced together. Data sets, evaluators, optimizer and
    schedule stay. The targets keep their width in input px, UDP models stay
    UDP-aligned, and with ``'sr'`` the stock head's deconvolutions stay.

    Args:
        cfg: A config, its file, ``mmpose::PATH`` or the name of a config of
            MMPose's model zoo. Not changed.
        scheme: ``'sr'`` puts :class:`SRHead` (for associative embedding
            :class:`SRAssociativeEmbeddingHead`) on the features of the stock
            head. ``'srpose'`` puts :class:`SRPoseNeck` and
            :class:`SRPoseHead` on the backbone's features of several strides.
        options: The arguments of :class:`~srpose_mm.swap.SwapOptions`.

    Raises:
        FileNotFoundError: If the config does not exist.
        SwapRefused: If the model is not a backbone that feeds one known head,
            or the scheme does not fit it. A ``ValueError``.
        TypeError: If an option is unknown.
        ValueError: If the scheme is unknown, or an option does not fit.
    """
    options = SwapOptions(**options)
    if scheme not in SCHEMES:
        raise ValueError(f'expected scheme to be one of {tuple(SCHEMES)}, got '
                         f'{scheme!r}')
    cfg = deepcopy(load_config(cfg))
    stock = read_stock_model(cfg)
    if options.backbone:
        backbone, normalization = find_timm_backbone(
            options.backbone[len('timm:'):], stock)
        stock = stock._replace(backbone=backbone, neck=None)
        cfg.model.setdefault('data_preprocessor', dict(
            type='PoseDataPreprocessor')).update(normalization)
    backbone, neck, head, heatmap_size = SCHEMES[scheme](stock, options)
    codec = make_codec(cfg, stock, heatmap_size, options)
    cfg.codec = deepcopy(codec)
    cfg.model.backbone = backbone
    cfg.model.pop('neck', None)
    if neck is not None:
        cfg.model.neck = neck
    cfg.model.head = dict(head, decoder=deepcopy(codec))
    replace_pipelines(cfg, stock, codec)
    set_flip(cfg, stock)
    cfg.custom_imports = _with_this_package(cfg.get('custom_imports') or {})
    return cfg


def _with_this_package(custom_imports: dict) -> dict:
    """Return the config's own imports, after this package."""
    names = custom_imports.get('imports') or []
    names = [names] if isinstance(names, str) else names
    return dict(
        imports=['srpose_mm', *(n for n in names if n != 'srpose_mm')],
        allow_failed_imports=False)
