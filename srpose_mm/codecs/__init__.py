from .sr_associative_embedding import SRAssociativeEmbedding
from .sr_heatmap import SRHeatmap
from .utils.arguments import TARGETS
from .utils.refinement import REFINEMENTS

__all__ = ['REFINEMENTS', 'SRAssociativeEmbedding', 'SRHeatmap', 'TARGETS']
