"""One training step and one decode of a model, on data made up for it."""
from typing import List

import numpy as np
import torch
from mmengine.config import Config
from mmengine.dataset import Compose, pseudo_collate
from mmengine.registry import DefaultScope
from mmpose.registry import MODELS, TRANSFORMS

from srpose_mm.configs import type_name
from srpose_mm.swap.stock_model import BOTTOM_UP

LEARNING_RATE = 1e-4


def run_once(cfg: Config, batch_size: int = 2, seed: int = 0) -> List[str]:
    """Train a model for one step and let it predict once.

    Images are noise of the input's size. From there on all is as in training:
    the config's own codec makes the targets, and its head the losses.

    Args:
        cfg: The config. Its weights are drawn at random, none are loaded.
        batch_size: Samples in the batch, B.
        seed: Of images, keypoints and weights.

    Returns:
        Names of the parameters that the loss does not reach.

    Raises:
        RuntimeError: If a loss, a weight or a keypoint is not finite, or the
            keypoints have the wrong shape.
    """
    torch.manual_seed(seed)
    keypoints = _num_keypoints(cfg)
    with DefaultScope.overwrite_default_scope('mmpose'):
        model = MODELS.build(cfg.model)
        pack = Compose([
            TRANSFORMS.build(step) for step in _target_steps(cfg)
        ])
        rng = np.random.default_rng(seed)
        samples = [pack(_sample(cfg, keypoints, rng, i))
                   for i in range(batch_size)]
    unused = _train_step(model, pseudo_collate(samples))
    # Some models predict more keypoints than their test data has.
    kept = cfg.model.test_cfg.get('output_keypoint_indices')
    _predict(model, pseudo_collate(samples), len(kept) if kept else keypoints)
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
            if parameter.grad is None:
                unused += [name] if parameter.requires_grad else []
                continue
            parameter -= LEARNING_RATE * parameter.grad
            _check_finite(name, parameter)
            parameter.grad = None
    return unused


def _predict(model: torch.nn.Module, data: dict, keypoints: int) -> None:
    model.eval()
    with torch.no_grad():
        data = model.data_preprocessor(data, False)
        results = model(**data, mode='predict')
    for sample in results:
        found = np.asarray(sample.pred_instances.keypoints)
        _check_finite('a keypoint', torch.from_numpy(found))
        if found.ndim != 3 or found.shape[1:] != (keypoints, 2):
            raise RuntimeError(f'run_once: expected (N, {keypoints}, 2) '
                               f'keypoints, got {found.shape}')


def _check_finite(what: str, values: torch.Tensor) -> None:
    if not torch.isfinite(values).all():
        raise RuntimeError(f'run_once: {what} is not finite')


def _num_keypoints(cfg: Config) -> int:
    head = cfg.model.head
    return head.get('out_channels', head.get('num_keypoints'))


def _target_steps(cfg: Config) -> List[dict]:
    """The end of the training pipeline, from the targets on."""
    steps = cfg.train_dataloader.dataset.pipeline
    first = [type_name(step) for step in steps].index('GenerateTarget')
    return steps[first:]


def _sample(cfg: Config, keypoints: int, rng: np.random.Generator,
            number: int) -> dict:
    """A sample as it comes from the steps before the targets."""
    width, height = size = np.array(cfg.codec.input_size)
    people = 2 if type_name(cfg.model) == BOTTOM_UP else 1
    places = rng.uniform(0.1, 0.9, (people, keypoints, 2)) * size
    places = places.astype(np.float32)
    box = np.array([0, 0, width, height], dtype=np.float32)
    visible = np.ones((people, keypoints), dtype=np.float32)
    return dict(
        id=number,
        img_id=number,
        img_path=f'{number}.jpg',
        img=rng.integers(0, 256, (height, width, 3), dtype=np.uint8),
        img_shape=(height, width),
        ori_shape=(height, width),
        input_size=(width, height),
        input_center=size / 2,
        input_scale=size.astype(np.float32),
        warp_mat=np.eye(2, 3, dtype=np.float32),
        flip_indices=list(range(keypoints)),
        dataset_keypoint_weights=np.ones(keypoints, dtype=np.float32),
        bbox=np.repeat(box[None], people, axis=0),
        bbox_score=np.ones(people, dtype=np.float32),
        area=np.full(people, width * height, dtype=np.float32),
        invalid_segs=[],
        keypoints=places,
        keypoints_visible=visible,
        transformed_keypoints=places.copy())
