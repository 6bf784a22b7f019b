from .checks import (
    check_channels,
    check_heatmap_size,
    check_keypoints,
    check_level_channels,
)
from .pck_accuracy import pose_pck_accuracy
from .targets import gather_people, gather_targets, pool_targets

__all__ = [
    'check_channels', 'check_heatmap_size', 'check_keypoints',
    'check_level_channels', 'gather_people',
    'gather_targets', 'pool_targets', 'pose_pck_accuracy'
]
