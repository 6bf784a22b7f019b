from .backbones import TimmBackbone, TransPose
from .heads import SRAssociativeEmbeddingHead, SRHead, SRPoseHead
from .losses import SeparableMSELoss
from .necks import SRPoseNeck, SRPosePyramidNeck

__all__ = [
    'SRAssociativeEmbeddingHead', 'SRHead', 'SRPoseHead', 'SRPoseNeck',
    'SRPosePyramidNeck', 'SeparableMSELoss', 'TimmBackbone', 'TransPose'
]
