from .tensor_decoding import heatmap_argmax, refine_dark, refine_shift
from .usable_keypoints import usable_keypoints

__all__ = [
    'heatmap_argmax', 'refine_dark', 'refine_shift', 'usable_keypoints'
]
