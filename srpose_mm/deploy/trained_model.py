from pathlib import Path
from typing import Optional, Union

from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmpose.models import BottomupPoseEstimator, TopdownPoseEstimator
from mmpose.registry import MODELS
from torch import nn

from ..checkpoints.safe_checkpoint import dense_tensors, load_checkpoint


def trained_model(cfg: Config, checkpoint: Optional[Union[str, Path]],
                  owner: str) -> nn.Module:
    """Build a pose estimator and load its weights.

    Args:
        cfg: Its config.
        checkpoint: Its weights, all of them. ``None`` leaves the random ones
            that the layers start from, and says so.
        owner: What messages of errors start with.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        ValueError: If it is neither top-down nor bottom-up, or the checkpoint
            is damaged or that of another model.
    """
    init_default_scope(cfg.get('default_scope') or 'mmpose')
    # Nothing is initialised here, so nothing is downloaded.
    model = MODELS.build(cfg.model).eval().requires_grad_(False)
    kinds = (TopdownPoseEstimator, BottomupPoseEstimator)
    if not isinstance(model, kinds):
        raise ValueError(
            f'{owner}: expected a TopdownPoseEstimator or '
            f'BottomupPoseEstimator, got {type(model).__name__}; choose the '
            'config of such a model')
    if checkpoint is None:
        logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
        logger.warning(f'{owner}: no checkpoint, the weights are random')
        return model
    contents = load_checkpoint(Path(checkpoint), owner)
    dense_tensors(contents, owner, 'a checkpoint of this config')
    try:
        # Not what dense_tensors gives: MMPose looks at the versions that
        # PyTorch keeps beside the tensors.
        model.load_state_dict(contents['state_dict'])
    except RuntimeError as err:
        reason = ' '.join(str(err).split())
        reason = reason[:300] + (' ...' if len(reason) > 300 else '')
        raise ValueError(
            f'{owner}: {checkpoint}: expected the weights of the config\'s '
            f'model, got others ({reason}); give a checkpoint of this '
            'config') from err
    return model
