from .transforms import BottomupGetValidMask

__all__ = ['BottomupGetValidMask']
