"""The codec that takes the place of a stock one."""
from typing import Iterator, Tuple

from mmengine.config import Config

from ..configs import type_name
from .options import SwapOptions
from .stock_model import StockModel

TEST_PARTS = ('test_dataloader', 'val_dataloader', 'val_pipeline')


def make_codec(cfg: Config, stock: StockModel, heatmap_size: Tuple[int, int],
               options: SwapOptions) -> dict:
    """Config of the codec for heatmaps of the given size.

    The Gaussian keeps its width in input px, and the pixel mapping, MSRA's or
    UDP's, stays.

    Args:
        cfg: The stock config.
        stock: Its model.
        heatmap_size: (W, H) of the heatmaps, in cells.
        options: The user's choices.

    Returns:
        A config of :class:`SRHeatmap` or :class:`SRAssociativeEmbedding`.

    Raises:
        ValueError: If an option is chosen that the codec does not have.
    """
    for name in ('unbiased', 'refine'):
        if stock.bottom_up and getattr(options, name) is not None:
            raise ValueError(
                f'swap_head: expected no {name} for associative embedding, '
                f'whose codec has none, got {getattr(options, name)!r}; leave '
                'it out')
    kind = 'SRAssociativeEmbedding' if stock.bottom_up else 'SRHeatmap'
    codec = dict(
        type=kind,
        input_size=stock.input_size,
        heatmap_size=heatmap_size,
        sigma=_sigma(stock, heatmap_size))
    read = _associative_embedding if stock.bottom_up else _heatmap
    codec.update(read(cfg, stock), target='keypoints')
    for name in ('sigma', 'unbiased', 'refine'):
        if getattr(options, name) is not None:
            codec[name] = getattr(options, name)
    return codec


def crops_by_udp(cfg: Config) -> bool:
    """Whether the images of the test data are cropped as UDP does."""
    for name in TEST_PARTS:
        for step in steps_below(cfg.get(name)):
            if type_name(step) == 'TopdownAffine':
                return bool(step.get('use_udp', False))
    return False


def steps_below(node) -> Iterator[dict]:
    """Every dict with a type in nested dicts and lists."""
    if isinstance(node, dict):
        if node.get('type'):
            yield node
        node = list(node.values())
    if isinstance(node, (list, tuple)):
        for child in node:
            yield from steps_below(child)


def _heatmap(cfg: Config, stock: StockModel) -> dict:
    udp = type_name(stock.codec) == 'UDPHeatmap'
    codec = dict()
    if udp or crops_by_udp(cfg) or stock.codec.get('use_udp'):
        codec['use_udp'] = True
    if udp or stock.codec.get('unbiased'):
        # As these stock codecs do.
        codec.update(unbiased=True, refine='dark')
    return codec


def _associative_embedding(cfg: Config, stock: StockModel) -> dict:
    kept = ('use_udp', 'decode_keypoint_order', 'decode_keypoint_thr',
            'decode_tag_thr', 'decode_topk', 'decode_max_instances')
    # The kernel of the non-maximum suppression and the shift of the centre
    # are in cells of the stock grid; the defaults are for the new one.
    return {key: stock.codec[key] for key in kept if key in stock.codec}


def _sigma(stock: StockModel, heatmap_size: Tuple[int, int]) -> float:
    """The stock Gaussian's width in cells of the new grid.

    Codecs without heatmaps have the width that MMPose's heatmaps have, 2
    cells of a quarter-size map.
    """
    size, sigma = stock.codec.get('heatmap_size'), stock.codec.get('sigma')
    if size is None or not isinstance(sigma, (int, float)):
        size, sigma = stock.input_size, 8
    sigma = sigma * heatmap_size[0] / size[0]
    return int(sigma) if sigma == int(sigma) else sigma
