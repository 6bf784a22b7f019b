from .arguments import (
    TARGETS,
    check_choice,
    check_odd,
    check_positive,
    check_size,
    matching_blur,
)
from .candidates import top_candidates
from .grouping import group_by_tags
from .missing_keypoints import fill_missing_keypoints
from .separable_heatmaps import (
    SeparableHeatmaps,
    gaussian_heatmaps,
    people_heatmaps,
)
from .tensor_decoding import (
    heatmap_argmax,
    refine_dark,
    refine_parabola,
    refine_shift,
)
from .udp_refinement import log_blurred, refine_dark_udp
from .usable_keypoints import reaches_map, usable_keypoints

__all__ = [
    'SeparableHeatmaps', 'TARGETS', 'check_choice', 'check_odd',
    'check_positive', 'check_size', 'fill_missing_keypoints',
    'gaussian_heatmaps', 'group_by_tags', 'heatmap_argmax', 'log_blurred',
    'matching_blur', 'people_heatmaps', 'reaches_map', 'refine_dark',
    'refine_dark_udp', 'refine_parabola', 'refine_shift', 'top_candidates',
    'usable_keypoints'
]
