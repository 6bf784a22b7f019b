from copy import deepcopy
from typing import Any, Optional, Sequence, Union

from mmengine.config import Config

from ..configs import ConfigLike, load_config
from .codec import make_codec
from .data import add_bottom_up_pipeline, replace_encoders, set_flip
from .options import Size, SwapOptions
from .schemes import SCHEMES, Parts
from .stock_model import StockModel, read_stock_model


def swap_head(cfg: ConfigLike,
              scheme: str = 'sr',
              *,
              heatmap_size: Optional[Size] = None,
              upscale_factor: Optional[int] = None,
              sigma: Optional[float] = None,
              refine: Optional[str] = None,
              unbiased: Optional[bool] = None,
              embed_channels: Union[None, int, Sequence[int]] = None
              ) -> Config:
    """Turn a stock model into one with a super-resolution head.

    Head, neck, codec, every pipeline that mentions the codec and the flip
    settings are replaced together; data, evaluators, optimiser and schedule
    stay. The heatmaps' targets keep their width in input px, UDP models stay
    UDP-aligned, and deconvolutions that the stock head has stay with ``'sr'``.

    Args:
        cfg: A config, its file, ``mmpose::PATH`` or the bare name of a config
            of MMPose's model zoo. Not changed.
        scheme: ``'sr'`` puts :class:`SRHead` (for associative embedding
            :class:`SRAssociativeEmbeddingHead`) on the features of the stock
            head; ``'srpose'`` puts :class:`SRPoseNeck` and
            :class:`SRPoseHead` on the backbone's features of several strides.
        heatmap_size: (W, H) of the heatmap, in cells. ``None`` means the
            input's size, or the largest below that a whole upscale factor
            reaches.
        upscale_factor: In the place of ``heatmap_size``, heatmap cells for
            one cell of the features that the last SR block gets.
        sigma: Standard deviation of the target's Gaussian in heatmap cells.
            ``None`` keeps its width in input px, 8 where it had none.
        refine: How a peak is refined, see :class:`SRHeatmap`. ``None`` is
            ``'dark'`` where the stock codec does that, else ``'shift'``.
        unbiased: Whether the Gaussian is centred on the keypoint itself.
            ``None`` does as the stock codec.
        embed_channels: Channels of the embedding of one keypoint; for
            ``'srpose'`` also one number for each level, coarse to fine.
            ``None`` takes the head's default.

    Returns:
        The new config.

    Raises:
        FileNotFoundError: If there is no such file.
        SwapRefused: A ``ValueError``; if the model is not a backbone that
            feeds one head that is known, or the scheme does not fit it.
        TypeError: If an option is unknown.
        ValueError: If the scheme is unknown or an option does not fit.
    """
    options = SwapOptions(heatmap_size, upscale_factor, sigma, refine,
                          unbiased, embed_channels)
    if scheme not in SCHEMES:
        raise ValueError(f'swap_head: expected scheme to be one of '
                         f'{tuple(SCHEMES)}, got {scheme!r}')
    cfg = deepcopy(load_config(cfg))
    stock = read_stock_model(cfg)
    parts = SCHEMES[scheme](stock, options)
    codec = make_codec(cfg, stock, parts.heatmap_size, options)
    _replace_model(cfg, parts, codec)
    _replace_data(cfg, stock, codec)
    set_flip(cfg, stock, parts.heatmap_size)
    cfg.custom_imports = _with_this_package(cfg.get('custom_imports'))
    return cfg


def _replace_model(cfg: Config, parts: Parts, codec: dict) -> None:
    cfg.model.backbone = parts.backbone
    cfg.model.pop('neck', None)
    if parts.neck is not None:
        cfg.model.neck = parts.neck
    cfg.model.head = dict(parts.head, decoder=deepcopy(codec))


def _replace_data(cfg: Config, stock: StockModel, codec: dict) -> None:
    cfg.codec = deepcopy(codec)
    replaced = replace_encoders(cfg, codec)
    if replaced or not cfg.get('train_dataloader'):
        return
    if not stock.bottom_up:
        raise ValueError(
            'swap_head: expected a training pipeline with a GenerateTarget '
            'step, got none; add the step or take train_dataloader out')
    add_bottom_up_pipeline(cfg, codec)


def _with_this_package(imports: Any) -> dict:
    """The config's own imports behind this package's."""
    names = (imports or {}).get('imports') or []
    names = [names] if isinstance(names, str) else list(names)
    return dict(
        imports=['srpose_mm', *(n for n in names if n != 'srpose_mm')],
        allow_failed_imports=False)
