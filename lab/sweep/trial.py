"""A training step and a decoding of a model on random data."""
from typing import List

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS, TRANSFORMS

from srpose_mm.configs import type_name

LEARNING_RATE = 1e-4


def run_once(cfg: Config, batch_size: int = 2, seed: int = 0) -> List[str]:
    """Train a model for one step and let it predict once.

    The images are noise of the input's size. The config's own codec makes the
    targets and its head computes the loss, as in training.

    Args:
        cfg: The config. Its weights are random.
        batch_size: Number of samples in the batch.
        seed: Seed of images, keypoints and weights.

    Returns:
        Names of the parameters without a gradient.

    Raises:
        RuntimeError: If a loss, a weight or a keypoint is not finite, or the
            keypoints have the wrong shape.
    """
    torch.manual_seed(seed)
    head = cfg.model.head
    keypoints = head.get('out_channels', head.get('num_keypoints'))
    steps = cfg.train_dataloader.dataset.pipeline
    first = [type_name(step) for step in steps].index('GenerateTarget')
    rng = np.random.default_rng(seed)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(cfg.model)
        pack = Compose([TRANSFORMS.build(step) for step in steps[first:]])
        data = pseudo_collate([
            pack(_sample(cfg, keypoints, rng)) for _ in range(batch_size)
        ])
    unused = _train_step(model, data)
    # Some models predict more keypoints than their test data has.
    kept = cfg.model.test_cfg.get('output_keypoint_indices')
    _predict(model, data, len(kept) if kept else keypoints)
    return unused


def _train_step(model: torch.nn.Module, data: dict) -> List[str]:
    model.train()
    data = model.data_preprocessor(data, True)
    loss, _ = model.parse_losses(model(**data, mode='loss'))
    _check_finite('the loss', loss)
    loss.backward()
    unused = []
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.grad is not None:
                parameter -= LEARNING_RATE * parameter.grad
                _check_finite(name, parameter)
            elif parameter.requires_grad:
                unused.append(name)
    return unused


@torch.no_grad()
def _predict(model: torch.nn.Module, data: dict, keypoints: int) -> None:
    model.eval()
    data = model.data_preprocessor(data, False)
    for sample in model(**data, mode='predict'):
        predicted = np.asarray(sample.pred_instances.keypoints)
        _check_finite('a keypoint', torch.from_numpy(predicted))
        if predicted.ndim != 3 or predicted.shape[1:] != (keypoints, 2):
            raise RuntimeError(f'expected keypoints of shape (N, {keypoints}, '
                               f'2), got {predicted.shape}')


def _check_finite(name: str, values: torch.Tensor) -> None:
    if not torch.isfinite(values).all():
        raise RuntimeError(f'{name} is not finite')


def _sample(cfg: Config, keypoints: int, rng: np.random.Generator) -> dict:
    """Return a sample as the step before ``GenerateTarget`` does."""
    width, height = size = np.array(cfg.codec.input_size)
    instances = 2 if type_name(cfg.model) == 'BottomupPoseEstimator' else 1
    points = rng.uniform(0.1, 0.9, (instances, keypoints, 2)) * size
    points = points.astype(np.float32)
    box = np.array([0, 0, width, height], dtype=np.float32)
    return dict(
        id=0,
        img_id=0,
        img_path='0.jpg',
        img=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        img_shape=(height, width),
        ori_shape=(height, width),
        input_size=(width, height),
        input_center=size / 2,
        input_scale=size.astype(np.float32),
        warp_mat=np.eye(2, 3, dtype=np.float32),
        flip_indices=list(range(keypoints)),
        dataset_keypoint_weights=np.ones(keypoints, dtype=np.float32),
        bbox=np.repeat(box[None], instances, axis=0),
        bbox_score=np.ones(instances, dtype=np.float32),
        area=np.full(instances, width * height, dtype=np.float32),
        invalid_segs=[],
        keypoints=points,
        keypoints_visible=np.ones((instances, keypoints), dtype=np.float32),
        transformed_keypoints=points.copy())
