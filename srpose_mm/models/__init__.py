from .backbones import TransPose
from .heads import SRAssociativeEmbeddingHead, SRHead, SRPoseHead
from .losses import SeparableMSELoss
from .necks import SRPoseNeck

__all__ = [
    'SRAssociativeEmbeddingHead', 'SRHead', 'SRPoseHead', 'SRPoseNeck',
    'SeparableMSELoss', 'TransPose'
]
