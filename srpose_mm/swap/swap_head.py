"""Swap the head of a config."""
from copy import deepcopy
from typing import Optional, Tuple

from mmengine.config import Config

from ..configs import ConfigLike, load_config
from .codec_and_data import make_codec, replace_pipelines, set_flip
from .features import find_timm_backbone
from .heads import SCHEMES
from .stock_model import read_stock_model

TIMM = 'timm:'


def swap_head(cfg: ConfigLike,
              scheme: str = 'sr',
              heatmap_size: Optional[Tuple[int, int]] = None,
              sigma: Optional[float] = None,
              refine: Optional[str] = None,
              unbiased: Optional[bool] = None,
              backbone: Optional[str] = None) -> Config:
    """Return the config of a stock model with a super-resolution head.

    Head, neck, codec, every pipeline that names the codec and the settings of
    the flip test are replaced together. Datasets, evaluators, optimizer and
    schedule stay. The targets keep their width in input px, UDP models stay
    UDP-aligned, and with ``'sr'`` the stock head's deconvolutions stay.

    Args:
        cfg: A config, its file, ``mmpose::PATH`` or the name of a config of
            MMPose's model zoo. Not changed.
        scheme: ``'sr'`` puts :class:`SRHead` (for associative embedding
            :class:`SRAssociativeEmbeddingHead`) on the features of the stock
            head. ``'srpose'`` puts :class:`SRPoseNeck` and
            :class:`SRPoseHead` on the backbone's features of several strides.
        heatmap_size: (W, H) of the heatmaps, in cells. The default is the
            input's size, or the largest smaller size that an integer upscale
            factor reaches.
        sigma: Standard deviation of the target's Gaussian in heatmap cells.
            By default the stock width in input px stays; it is 8 px if the
            stock codec has no width.
        refine: Refinement of a peak, see :class:`SRHeatmap`. The default is
            ``'dark'`` if the stock codec refines so, else ``'shift'``.
        unbiased: Center the Gaussian on the keypoint, not on a cell. The
            default is the stock codec's way.
        backbone: A new backbone, ``'timm:NAME'``, with timm's own weights and
            normalization of images. By default the stock backbone stays.

    Raises:
        FileNotFoundError: If the config does not exist.
        SwapRefused: If the model is not a backbone that feeds one known head,
            or the scheme does not fit it. A ``ValueError``.
        TypeError: If the new codec does not have an option.
        ValueError: If the scheme is unknown, or an option does not fit.
    """
    if scheme not in SCHEMES:
        raise ValueError(f'expected scheme to be one of {tuple(SCHEMES)}, got '
                         f'{scheme!r}')
    cfg = deepcopy(load_config(cfg))
    stock = read_stock_model(cfg)
    if backbone is not None:
        if not backbone.startswith(TIMM):
            raise ValueError('expected backbone to be \'timm:NAME\', got '
                             f'{backbone!r}')
        timm_backbone, normalization = find_timm_backbone(
            backbone[len(TIMM):], stock)
        stock = stock._replace(
            backbone=timm_backbone, neck=None, layers=None)
        cfg.model.setdefault('data_preprocessor', dict(
            type='PoseDataPreprocessor')).update(normalization)
    new_backbone, neck, head, size = SCHEMES[scheme](stock, heatmap_size)
    codec = make_codec(
        cfg, stock, size, sigma=sigma, refine=refine, unbiased=unbiased)
    cfg.codec = deepcopy(codec)
    cfg.model.backbone = new_backbone
    cfg.model.pop('neck', None)
    if neck is not None:
        cfg.model.neck = neck
    cfg.model.head = dict(head, decoder=deepcopy(codec))
    replace_pipelines(cfg, stock, codec)
    set_flip(cfg, stock, codec)
    names = (cfg.get('custom_imports') or {}).get('imports') or []
    names = [names] if isinstance(names, str) else names
    cfg.custom_imports = dict(
        imports=['srpose_mm', *(n for n in names if n != 'srpose_mm')],
        allow_failed_imports=False)
    return cfg
