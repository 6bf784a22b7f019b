from .checks import (
    check_cell_size,
    check_channels,
    check_crop,
    check_heatmap_size,
    check_keypoints,
    check_levels,
)
from .heatmap_sampler import HeatmapSampler, find_peaks, mean
from .targets import gather_bottomup_targets, gather_targets, pose_pck_accuracy

__all__ = [
    'HeatmapSampler', 'check_cell_size', 'check_channels', 'check_crop',
    'check_heatmap_size', 'check_keypoints', 'check_levels',
    'find_peaks', 'gather_bottomup_targets', 'gather_targets', 'mean',
    'pose_pck_accuracy'
]
