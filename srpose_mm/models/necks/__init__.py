from .srpose_neck import SRPoseNeck
from .srpose_pyramid_neck import SRPosePyramidNeck

__all__ = ['SRPoseNeck', 'SRPosePyramidNeck']
