from pathlib import Path
from typing import Dict, List, Optional, Union

import numpy as np
import torch
from matplotlib.figure import Figure
from mmcv import imread
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import init_default_scope
from mmpose.apis import inference_topdown, init_model
from mmpose.registry import DATASETS, VISUALIZERS
from mmpose.structures import merge_data_samples
from rich.console import Console
from rich.progress import track
from torch import Tensor, nn


def visualize(config: Union[str, Path, Config],
              checkpoint: str,
              out_dir: Union[str, Path],
              num_images: int = 8,
              score_thr: float = 0.5,
              device: Optional[str] = None) -> List[Path]:
    """Draw what a top-down model sees in the images of its test data set.

    For each image it writes ``NNN_NAME_skeletons.jpg``, the people's
    skeletons over the image, and ``NNN_NAME_heatmaps.png``, the maps of the
    image's first person from low to high resolution.

    Args:
        config: The model's config.
        checkpoint: Its weights.
        out_dir: Folder to write to.
        num_images: Number of images, from the start of the data set.
        score_thr: Lowest score of a box that is shown.
        device: Where to run; ``None`` takes a GPU where there is one.

    Returns:
        The files written.

    Raises:
        ValueError: If the test data set holds no box above ``score_thr``.
    """
    out_dir = Path(out_dir)
    out_dir.mkdir(parents=True, exist_ok=True)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = init_model(config, str(checkpoint), device=device)
    images = list(_boxes_by_image(model.cfg, score_thr).items())
    if not images:
        raise ValueError('visualize: the test data set of the config has no '
                         f'box with a score of {score_thr} or more')
    visualizer = VISUALIZERS.build(
        dict(
            type='PoseLocalVisualizer',
            name='srpose_mm',
            radius=2,
            line_width=1))
    visualizer.set_dataset_meta(model.dataset_meta)
    files = []
    chosen = enumerate(images[:num_images])
    for number, (path, boxes) in track(
            list(chosen), 'drawing', console=Console(stderr=True)):
        stem = f'{number:03d}_{Path(path).stem}'
        skeletons = out_dir / f'{stem}_skeletons.jpg'
        heatmaps = out_dir / f'{stem}_heatmaps.png'
        samples = inference_topdown(model, path, np.stack(boxes))
        visualizer.add_datasample(
            'result',
            imread(path, channel_order='rgb'),
            merge_data_samples(samples),
            draw_gt=False,
            out_file=str(skeletons))
        draw_heatmaps(model, path, boxes[0]).savefig(heatmaps)
        files += [skeletons, heatmaps]
    return files


def draw_heatmaps(model: nn.Module, path: str, box: np.ndarray) -> Figure:
    """Draw a person's crop beside its heatmaps, coarse to fine.

    Args:
        model: A model of :func:`mmpose.apis.init_model`.
        path: The image.
        box: The person's box, xyxy in px of the image.

    Returns:
        The figure: the crop, the highest value over the keypoints for each
        map, and the decoded keypoints over the crop.
    """
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    data = dict(
        img_path=path,
        bbox=box[None],
        bbox_score=np.ones(1, dtype=np.float32),
        **model.dataset_meta)
    batch = model.data_preprocessor(pseudo_collate([pipeline(data)]))
    with torch.no_grad():
        maps = named_heatmaps(model, batch['inputs'])
        finest = list(maps.values())[-1]
        keypoints = model.head.decode(finest)[0].keypoints[0]
    crop = _to_image(batch['inputs'][0])
    figure = Figure(figsize=(2.4 * (len(maps) + 2), 3.6), layout='tight')
    axes = figure.subplots(1, len(maps) + 2)
    axes[0].imshow(crop)
    axes[0].set_title(f'input {crop.shape[1]}x{crop.shape[0]}')
    for ax, (name, heatmaps) in zip(axes[1:], maps.items()):
        highest = heatmaps[0].amax(dim=0).float().cpu()
        ax.imshow(highest, cmap='magma', interpolation='nearest')
        height, width = highest.shape
        ax.set_title(f'{name} {width}x{height}')
    axes[-1].imshow(crop)
    axes[-1].scatter(*keypoints.T, s=12, c='lime', edgecolors='black')
    axes[-1].set_title('keypoints')
    for ax in axes:
        ax.set_axis_off()
    return figure


def named_heatmaps(model: nn.Module, inputs: Tensor) -> Dict[str, Tensor]:
    """All heatmaps of a top-down model, coarse to fine.

    Args:
        model: The model.
        inputs: Normalised images in shape (B, 3, h, w).

    Returns:
        Name to heatmaps in shape (B, K, H, W); the last is what is decoded.
    """
    feats = model.extract_feat(inputs)
    if not hasattr(model.head, 'forward_levels'):
        heatmaps = model.head(feats)
        if not isinstance(heatmaps, Tensor) or heatmaps.ndim != 4:
            raise TypeError(
                'visualize: expected a head that predicts heatmaps in shape '
                f'(B, K, H, W), got {type(model.head).__name__}')
        return dict(HR=heatmaps)
    low, *levels = model.head.forward_levels(feats)
    names = [f'level {i}' for i in range(len(levels) - 1)]
    return dict(zip(['LR', *names, 'HR'], [low, *levels]))


def _boxes_by_image(cfg: Config,
                    score_thr: float) -> Dict[str, List[np.ndarray]]:
    """Path of each image to its boxes, xyxy."""
    init_default_scope(cfg.get('default_scope', 'mmpose'))
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    boxes = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if info['bbox_score'][0] >= score_thr:
            boxes.setdefault(info['img_path'], []).append(info['bbox'][0])
    return boxes


def _to_image(tensor: Tensor) -> np.ndarray:
    """A normalised (3, H, W) tensor to an image (H, W, 3) within [0, 1]."""
    low, high = tensor.min(), tensor.max()
    scale = (high - low).clamp_min(1e-6)
    return ((tensor - low) / scale).permute(1, 2, 0).cpu().numpy()
