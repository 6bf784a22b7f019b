from .transpose import TransPose

__all__ = ['TransPose']
