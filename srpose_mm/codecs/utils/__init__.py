from .arguments import (
    TARGETS,
    check_choice,
    check_odd,
    check_positive,
    check_size,
    codec_settings,
    encoder_of_samples,
    matching_blur,
)
from .gaussians import (
    DenseHeatmaps,
    SeparableHeatmaps,
    gaussian_heatmaps,
    instance_heatmaps,
)
from .geometry import (
    cell_size,
    cell_spacing,
    gaussian_radius,
    nearest_cell,
    reaches_map,
    usable_keypoints,
)
from .grouping import group_by_tags, strongest_of_nearest
from .peaks import (
    Peaks,
    heatmap_argmax,
    running_maximum,
    tags_of_cells,
    top_candidates,
)
from .refinement import (
    REFINEMENTS,
    log_blurred,
    refine_dark,
    refine_dark_udp,
    refine_parabola,
    refine_shift,
)

__all__ = [
    'DenseHeatmaps', 'Peaks', 'REFINEMENTS', 'SeparableHeatmaps',
    'TARGETS', 'cell_size', 'cell_spacing', 'check_choice', 'check_odd',
    'check_positive', 'check_size', 'codec_settings', 'encoder_of_samples',
    'gaussian_heatmaps', 'gaussian_radius', 'group_by_tags',
    'heatmap_argmax', 'instance_heatmaps', 'log_blurred', 'matching_blur',
    'nearest_cell', 'reaches_map', 'refine_dark', 'refine_dark_udp',
    'refine_parabola', 'refine_shift', 'running_maximum',
    'strongest_of_nearest', 'tags_of_cells', 'top_candidates',
    'usable_keypoints'
]
