from .timm_backbone import TimmBackbone
from .transpose import TransPose

__all__ = ['TimmBackbone', 'TransPose']
