"""Super-resolution heatmaps (SRPose) for MMPose 1.x.

Importing the package registers its codecs, models and hooks, and makes
:mod:`srpose_mm.checkpoints` the loader of MMEngine. Configs do it with
``custom_imports = dict(imports=['srpose_mm'])``.
"""
from .environment import check_required

# One sentence about all that is missing, before the first import fails.
check_required()

from . import checkpoints  # noqa: F401  registers the checkpoint loader
from .codecs import SRAssociativeEmbedding, SRHeatmap
from .datasets import BottomupGetValidMask
from .engine.hooks import (
    ChannelsLastHook,
    CheckDatasetHook,
    CheckTargetsHook,
    EndWorkersHook,
    EpochSeedHook,
    SafeCheckpointHook,
)
from .models import (
    SeparableMSELoss,
    SRAssociativeEmbeddingHead,
    SRHead,
    SRPoseHead,
    SRPoseNeck,
    SRPosePyramidNeck,
    TimmBackbone,
    TransPose,
)
from .version import __version__

__all__ = [
    'BottomupGetValidMask', 'ChannelsLastHook', 'CheckDatasetHook',
    'CheckTargetsHook', 'EndWorkersHook', 'EpochSeedHook',
    'SRAssociativeEmbedding', 'SRAssociativeEmbeddingHead', 'SRHead',
    'SRHeatmap', 'SRPoseHead', 'SRPoseNeck', 'SRPosePyramidNeck',
    'SafeCheckpointHook', 'SeparableMSELoss', 'TimmBackbone', 'TransPose',
    '__version__'
]
