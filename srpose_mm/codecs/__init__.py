from .sr_associative_embedding import SRAssociativeEmbedding
from .sr_heatmap import SRHeatmap
from .utils import REFINEMENTS, TARGETS

__all__ = ['REFINEMENTS', 'SRAssociativeEmbedding', 'SRHeatmap', 'TARGETS']
