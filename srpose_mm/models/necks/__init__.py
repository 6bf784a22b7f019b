from .srpose_neck import SRPoseNeck

__all__ = ['SRPoseNeck']
