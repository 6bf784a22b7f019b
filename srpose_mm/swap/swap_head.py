"""Swap the head of a config."""
from copy import deepcopy
from typing import Any, Optional, Sequence, Union

from mmengine.config import Config

from ..configs import ConfigLike, load_config
from .codec_and_data import make_codec, replace_pipelines, set_flip
from .features import find_timm_backbone
from .options import Size, SwapOptions
from .schemes import SCHEMES
from .stock_model import read_stock_model


def swap_head(cfg: ConfigLike,
              scheme: str = 'sr',
              *,
              heatmap_size: Optional[Size] = None,
              upscale_factor: Optional[int] = None,
              sigma: Optional[float] = None,
              refine: Optional[str] = None,
              unbiased: Optional[bool] = None,
              embed_channels: Union[None, int, Sequence[int]] = None,
              backbone: Optional[str] = None) -> Config:
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
        heatmap_size: (W, H) of the heatmaps, in cells. ``None`` selects the
            input's size, or the largest smaller size that an integer upscale
            factor reaches.
        upscale_factor: Alternative to ``heatmap_size``: heatmap cells per
            cell of the features that the last SR block processes.
        sigma: Standard deviation of the target's Gaussian in heatmap cells.
            ``None`` keeps its width in input px, 8 if it had none.
        refine: Refinement of a peak, see :class:`SRHeatmap`. ``None`` selects
            ``'dark'`` if the stock codec refines so, else ``'shift'``.
        unbiased: Center the Gaussian on the keypoint, not on a cell. ``None``
            keeps the stock codec's way.
        embed_channels: Channels of the embedding of one keypoint. For
            ``'srpose'`` also one number per level, coarse to fine. ``None``
            selects the head's default.
        backbone: A new backbone, ``'timm:NAME'``, with timm's own weights and
            normalization of images. ``None`` keeps the stock backbone.

    Raises:
        FileNotFoundError: If the config does not exist.
        SwapRefused: If the model is not a backbone that feeds one known head,
            or the scheme does not fit it. A ``ValueError``.
        TypeError: If an option is unknown.
        ValueError: If the scheme is unknown, or an option does not fit.
    """
    options = SwapOptions(heatmap_size, upscale_factor, sigma, refine,
                          unbiased, embed_channels, backbone)
    if scheme not in SCHEMES:
        raise ValueError(f'expected scheme to be one of {tuple(SCHEMES)}, got '
                         f'{scheme!r}')
    cfg = deepcopy(load_config(cfg))
    stock = read_stock_model(cfg)
    if backbone:
        new, normalization = find_timm_backbone(
            backbone[len('timm:'):], stock.input_size, stock.input_channels)
        stock = stock._replace(backbone=new, neck=None)
        cfg.model.setdefault('data_preprocessor', dict(
            type='PoseDataPreprocessor')).update(normalization)
    new = SCHEMES[scheme](stock, options)
    codec = make_codec(cfg, stock, new.heatmap_size, options)
    cfg.codec = deepcopy(codec)
    cfg.model.backbone = new.backbone
    cfg.model.pop('neck', None)
    if new.neck is not None:
        cfg.model.neck = new.neck
    cfg.model.head = dict(new.head, decoder=deepcopy(codec))
    replace_pipelines(cfg, stock, codec)
    set_flip(cfg, stock)
    cfg.custom_imports = _with_this_package(cfg.get('custom_imports'))
    return cfg


def _with_this_package(imports: Any) -> dict:
    """Return the config's own imports, after this package."""
    names = (imports or {}).get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    return dict(
        imports=['srpose_mm', *(n for n in names if n != 'srpose_mm')],
        allow_failed_imports=False)
