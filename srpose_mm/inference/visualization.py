from pathlib import Path
from typing import Dict, List, Optional, Sequence, Tuple, Union

import mmcv
import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.dataset import Compose, pseudo_collate
from mmengine.structures import InstanceData
from mmpose.models import AssociativeEmbeddingHead, BottomupPoseEstimator
from mmpose.registry import DATASETS
from torch import Tensor, nn

from ..configs import ConfigLike, init_scope
from ..console import progress
from ..datasets.utils import keypoint_names
from .files import PathLike, SkippedFile, read_image
from .inferencer import PoseInferencer, output_indices, output_metainfo

Keypoints = Optional[Sequence[Union[int, str]]]


def visualize(config: ConfigLike,
              checkpoint: PathLike,
              out_dir: PathLike,
              num_images: int = 8,
              score_thr: float = 0.5,
              device: Optional[str] = None,
              keypoints: Keypoints = None,
              images: Optional[Sequence[PathLike]] = None,
              kpt_thr: float = 0.3,
              cfg_options: Optional[dict] = None) -> List[Path]:
    """Draw skeletons and heatmaps of the test dataset or of given images.

    The pictures of an image are ``NNN_NAME_skeletons.jpg`` with all its
    instances and ``NNN_NAME_heatmaps.png``, the figure of
    :func:`draw_heatmaps` for its first box or, if the model is bottom-up, for
    the image.

    Args:
        config: As for :func:`predict`.
        checkpoint: As for :func:`predict`.
        out_dir: Folder of the pictures, whose files are returned.
        num_images: Number of images of the dataset.
        score_thr: Lowest score of a box of the dataset.
        device: As for :func:`predict`.
        keypoints: As for :func:`draw_heatmaps`.
        images: Files, all of which replace the images of the dataset. For a
            top-down model each is one instance.
        kpt_thr: Lowest score of a keypoint of a skeleton.
        cfg_options: As for :func:`predict`.

    Raises:
        FileNotFoundError: If a config or checkpoint does not exist.
        TypeError: If the model predicts no heatmaps.
        ValueError: If a keypoint is unknown, an image cannot be read, no
            image is given, or the checkpoint is refused.
    """
    inferencer = PoseInferencer(config, checkpoint, device, cfg_options)
    names = keypoint_names(output_metainfo(inferencer.model))
    select_keypoints(['all'] if keypoints is None else keypoints, names)
    if images is None:
        boxes = _dataset_boxes(inferencer.model, num_images, score_thr)
    else:
        boxes = {str(path): None for path in images}
    if not boxes:
        raise ValueError('expected an image, got none; name images or '
                         'a test dataset with boxes that score '
                         f'{score_thr} or more')
    files = []
    for number, path in enumerate(progress(boxes, 'drawing')):
        stem = f'{out_dir}/{number:03d}_{Path(path).stem}'
        files += _draw_image(inferencer, path, boxes[path], stem, keypoints,
                             kpt_thr)
    return files


def _draw_image(inferencer: PoseInferencer, path: str,
                boxes: Optional[List[np.ndarray]], stem: str,
                keypoints: Keypoints, kpt_thr: float) -> List[Path]:
    """Write the two pictures of an image, and return their files."""
    files = [Path(f'{stem}_skeletons.jpg'), Path(f'{stem}_heatmaps.png')]
    try:
        image = read_image(path, **inferencer.load_options)
    except SkippedFile as err:
        raise ValueError(f'{path}: expected an image; {err}') from err
    # A model without heatmaps is refused before anything is written.
    figure = draw_heatmaps(inferencer.model, path, boxes and boxes[0],
                           keypoints)
    [result] = inferencer(
        image, bboxes=boxes and [boxes], kpt_thr=kpt_thr, radius=2,
        return_vis=True, return_datasamples=True)
    mmcv.imwrite(mmcv.rgb2bgr(result['visualization'][0]), str(files[0]))
    figure.savefig(files[1])
    return files


def _dataset_boxes(
        model: nn.Module, num_images: int,
        score_thr: float) -> Dict[str, Optional[List[np.ndarray]]]:
    """Return the boxes of the first images of the test dataset, by path."""
    try:
        dataset = DATASETS.build(model.cfg.test_dataloader.dataset)
    except AssertionError as err:
        raise FileNotFoundError('expected the test dataset of the config, '
                                f'got: {err}; name images instead') from err
    boxes = {}
    for info in map(dataset.get_data_info, range(len(dataset))):
        if isinstance(model, BottomupPoseEstimator):
            boxes[info['img_path']] = None
        elif info['bbox_score'][0] >= score_thr:
            boxes.setdefault(info['img_path'], []).append(info['bbox'][0])
    return dict(list(boxes.items())[:num_images])


def draw_heatmaps(model: nn.Module,
                  path: PathLike,
                  box: Optional[np.ndarray] = None,
                  keypoints: Keypoints = None) -> Figure:
    """Draw a crop, its heatmaps from coarse to fine, and its keypoints.

    Args:
        model: Model of :func:`mmpose.apis.init_model`, top-down with heatmaps
            or bottom-up with associative embedding.
        path: An image.
        box: Box (4) of an instance, xyxy in image px, for top-down models. If
            it is ``None``, the image is the box.
        keypoints: Names or indices of keypoints, one for each row, or
            ``['all']``. If it is ``None``, the maximum over all heatmaps and
            the tags of the first keypoint are drawn.

    Raises:
        TypeError: If the model predicts no heatmaps.
        ValueError: If a keypoint is unknown.
    """
    names = keypoint_names(output_metainfo(model))
    rows = [None] if keypoints is None else select_keypoints(keypoints, names)
    image, maps, instances = _predict_maps(model, path, box)
    is_single = len(instances) == 1
    titles = [f'input {image.shape[1]}x{image.shape[0]}']
    for name, values in maps.items():
        if name == 'tags' and keypoints is None and len(values) > 1:
            name += f' of {names[0]}'
        titles.append(f'{name} {values.shape[2]}x{values.shape[1]}')
    titles.append('keypoints' if is_single else f'{len(instances)} instances')
    # In inches; many rows share a page.
    height = 3.2 if len(rows) == 1 else 2
    width = height * image.shape[1] / image.shape[0]
    figure = Figure((width * len(titles), height * len(rows) + 0.4),
                    layout='tight')
    axes = figure.subplots(len(rows), len(titles), squeeze=False)
    for ax, title in zip(axes[0], titles):
        ax.set_title(title, fontsize=None if len(rows) == 1 else 8)
    for row, keypoint in zip(axes, rows):
        _draw_maps(row, image, maps, keypoint)
        _draw_keypoints(row, instances, keypoint)
        if keypoint is not None:
            label = names[keypoint]
            if is_single:
                label += f'\n{instances.keypoint_scores[0, keypoint]:.2f}'
            row[0].text(-0.06, 0.5, label, transform=row[0].transAxes,
                        rotation=90, ha='right', va='center', fontsize=9)
    return figure


def named_heatmaps(model: nn.Module, inputs: Tensor) -> Dict[str, Tensor]:
    """Return all heatmaps (B, K, H, W) of images (B, C, h, w), coarse to fine.

    Raises:
        TypeError: If the model's head predicts no heatmaps.
    """
    feats = model.extract_feat(inputs)
    if hasattr(model.head, 'forward_levels'):
        maps = model.head.forward_levels(feats)
        levels = [f'level {level}' for level in range(len(maps) - 2)]
        # Heads of one level have the finest map only.
        return dict(zip(['LR', *levels, 'HR'][-len(maps):], maps))
    heatmaps = model.head(feats)
    if not isinstance(heatmaps, Tensor) or heatmaps.ndim != 4:
        raise TypeError('expected a head that predicts heatmaps (B, K, H, W), '
                        f'got {type(model.head).__name__}')
    return dict(HR=heatmaps)


def select_keypoints(keypoints: Sequence[Union[int, str]],
                     names: Sequence[str]) -> List[int]:
    """Return the indices of keypoints from names, indices or ``['all']``."""
    if list(keypoints) == ['all']:
        return list(range(len(names)))
    indices = {str(index): index for index in range(len(names))}
    indices.update(zip(names, range(len(names))))
    unknown = [k for k in keypoints if str(k) not in indices]
    if unknown or not keypoints:
        raise ValueError(
            "expected keypoints to be 'all', indices from 0 to "
            f'{len(names) - 1} or some of {", ".join(names)}; got '
            f'{unknown or "none"}')
    return [indices[str(k)] for k in keypoints]


def _predict_maps(
    model: nn.Module, path: PathLike, box: Optional[np.ndarray]
) -> Tuple[np.ndarray, Dict[str, Tensor], InstanceData]:
    """Return a crop (h, w, 3) within [0, 1], its maps and its instances."""
    is_bottom_up = isinstance(model.head, AssociativeEmbeddingHead)
    init_scope(model.cfg)
    data = dict(model.dataset_meta, img_path=str(path))
    if not is_bottom_up:
        if box is None:
            box = np.float32([0, 0, *read_image(path).shape[1::-1]])
        data.update(bbox=box[None], bbox_score=np.ones(1, np.float32))
    crop = Compose(model.cfg.test_dataloader.dataset.pipeline)(data)
    inputs = model.data_preprocessor(pseudo_collate([crop]))['inputs']
    with torch.no_grad():
        if is_bottom_up:
            outputs = model.head(model.extract_feat(inputs))
            maps = dict(zip(('heatmaps', 'tags'), outputs))
        else:
            maps = named_heatmaps(model, inputs)
            outputs = maps['HR']
        instances = model.head.decode(outputs)[0]
    indices = output_indices(model) or slice(None)
    instances.keypoints = instances.keypoints[:, indices]
    instances.keypoint_scores = instances.keypoint_scores[:, indices]
    maps = {name: m[0, indices].float().cpu() for name, m in maps.items()}
    # A gray input has one channel.
    image = inputs[0, :3].float().cpu().expand(3, -1, -1)
    image = image.permute(1, 2, 0).numpy()
    low, high = image.min(), image.max()
    return (image - low) / max(high - low, 1e-6), maps, instances


def _draw_maps(row: Sequence[Axes], image: np.ndarray, maps: Dict[str, Tensor],
               keypoint: Optional[int]) -> None:
    """Draw the maps of a keypoint, or of all, between two crops."""
    for ax, (name, values) in zip(row[1:], maps.items()):
        if name == 'tags':
            ax.imshow(values[(keypoint or 0) % len(values)], 'viridis',
                      interpolation='nearest')
        else:
            shown = values.amax(0) if keypoint is None else values[keypoint]
            ax.imshow(shown, 'magma', interpolation='nearest')
    row[0].imshow(image)
    row[-1].imshow(image)


def _draw_keypoints(row: Sequence[Axes], instances: InstanceData,
                    keypoint: Optional[int]) -> None:
    """Draw a keypoint, or all, of each instance on the last picture."""
    chosen = slice(None) if keypoint is None else [keypoint]
    for number, points in enumerate(instances.keypoints):
        color = 'lime' if len(instances) == 1 else f'C{number}'
        row[-1].scatter(*points[chosen].T, s=12, color=color,
                        edgecolors='black', linewidths=0.6)
    # Keypoints outside the input do not shrink it.
    row[-1].set(xlim=row[0].get_xlim(), ylim=row[0].get_ylim())
    for ax in row:
        ax.set_axis_off()
