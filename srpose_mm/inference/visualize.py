from pathlib import Path
from typing import Dict, List, Optional, Sequence, Union

import numpy as np
import torch
from mmcv import imread
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmpose.apis import inference_bottomup, inference_topdown
from mmpose.models.heads import AssociativeEmbeddingHead
from mmpose.models.pose_estimators import TopdownPoseEstimator
from mmpose.registry import DATASETS
from mmpose.structures import PoseDataSample, merge_data_samples
from mmpose.visualization import PoseLocalVisualizer
from rich.console import Console
from rich.progress import track
from torch import nn

from ..configs import ConfigLike
from .draw_heatmaps import draw_heatmaps, keypoint_names, select_keypoints
from .predict_models import load_estimator

Boxes = List[np.ndarray]


def visualize(config: ConfigLike,
              checkpoint: Union[str, Path],
              out_dir: Union[str, Path],
              num_images: int = 8,
              score_thr: float = 0.5,
              device: Optional[str] = None,
              keypoints: Optional[Sequence[Union[int, str]]] = None,
              images: Optional[Sequence[Union[str, Path]]] = None,
              kpt_thr: float = 0.3) -> List[Path]:
    """Draw what a model sees in images of its test data set, or in others.

    For each image it writes ``NNN_NAME_skeletons.jpg``, the people's
    skeletons over the image, and ``NNN_NAME_heatmaps.png``, what
    :func:`draw_heatmaps` draws of the image's first person, or of the whole
    image if the model is bottom-up.

    Args:
        config: The model's config, its file, ``PACKAGE::PATH`` or a bare name
            of this package or MMPose.
        checkpoint: Its weights, a local file.
        out_dir: Folder to write to.
        num_images: Number of images, from the start of the data set.
        score_thr: Lowest score of a box that is shown.
        device: Where to run; ``None`` takes a GPU where there is one.
        keypoints: Names or numbers of keypoints whose maps are drawn, each in
            a row of its own, or ``['all']``. ``None`` draws the highest value
            over all keypoints.
        images: Image files to take, all of them, in the place of the data
            set's. To a top-down model each is one person's box.
        kpt_thr: Lowest score of a keypoint of the skeletons.

    Returns:
        The files written.

    Raises:
        FileNotFoundError: If a config, a checkpoint or one of ``images`` is no
            file.
        TypeError: If the model predicts no heatmaps.
        ValueError: If the checkpoint is damaged, could run code or belongs to
            another model, there is no such keypoint, one of ``images`` cannot
            be read, or the test data set holds no box above ``score_thr``.
    """
    out_dir = Path(out_dir)
    chosen = None if images is None else _whole_images(images)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    model = load_estimator(config, checkpoint, device, owner='visualize')
    bottom_up = _is_bottom_up(model)
    if keypoints is not None:
        select_keypoints(keypoints, keypoint_names(model))
    if chosen is None:
        boxes = _boxes_by_image(model.cfg, score_thr, bottom_up)
        chosen = dict(list(boxes.items())[:num_images])
    out_dir.mkdir(parents=True, exist_ok=True)
    visualizer = PoseLocalVisualizer('srpose_mm', radius=2, line_width=1)
    visualizer.set_dataset_meta(model.dataset_meta)
    files = []
    for number, (path, boxes) in enumerate(
            track(chosen.items(), 'drawing', console=Console(stderr=True))):
        stem = f'{number:03d}_{Path(path).stem}'
        skeletons = out_dir / f'{stem}_skeletons.jpg'
        heatmaps = out_dir / f'{stem}_heatmaps.png'
        box = None if bottom_up else boxes[0]
        samples = _find_people(model, path, boxes, bottom_up)
        visualizer.add_datasample(
            'result',
            imread(path, channel_order='rgb'),
            merge_data_samples(samples),
            draw_gt=False,
            kpt_thr=kpt_thr,
            out_file=str(skeletons))
        draw_heatmaps(model, path, box, keypoints).savefig(heatmaps)
        files += [skeletons, heatmaps]
    return files


def _find_people(model: nn.Module, path: str, boxes: Boxes,
                 bottom_up: bool) -> List[PoseDataSample]:
    """Predict the people of an image."""
    if bottom_up:
        return inference_bottomup(model, path)
    return inference_topdown(model, path, np.stack(boxes))


def _is_bottom_up(model: nn.Module) -> bool:
    """Whether a model is bottom-up; if it is neither way, an error."""
    if isinstance(model.head, AssociativeEmbeddingHead):
        return True
    if not isinstance(model, TopdownPoseEstimator):
        raise TypeError(
            'visualize: expected a top-down model or one of associative '
            f'embedding, got {type(model).__name__} with '
            f'{type(model.head).__name__}')
    return False


def _whole_images(images: Sequence[Union[str, Path]]) -> Dict[str, Boxes]:
    """Path of each image to a box around all of it, xyxy."""
    boxes = {}
    for path in map(str, images):
        if not Path(path).is_file():
            raise FileNotFoundError(
                'visualize: expected images to be image files, got '
                f'{path!r}, where there is no file')
        image = imread(path)
        if image is None:
            raise ValueError('visualize: expected images to be image files, '
                             f'got {path!r}, which cannot be read as one')
        height, width = image.shape[:2]
        boxes[path] = [np.array([0, 0, width, height], dtype=np.float32)]
    if not boxes:
        raise ValueError('visualize: expected images to name a file, got none')
    return boxes


def _boxes_by_image(cfg: Config, score_thr: float,
                    bottom_up: bool) -> Dict[str, Boxes]:
    """Path of each image of the test data set to its boxes, xyxy."""
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    dataset = DATASETS.build(cfg.test_dataloader.dataset)
    boxes = {}
    for index in range(len(dataset)):
        info = dataset.get_data_info(index)
        if bottom_up:
            boxes[info['img_path']] = []
        elif info['bbox_score'][0] >= score_thr:
            boxes.setdefault(info['img_path'], []).append(info['bbox'][0])
    if not boxes:
        raise ValueError('visualize: the test data set of the config has no '
                         f'box with a score of {score_thr} or more')
    return boxes
