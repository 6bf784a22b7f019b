from .sr_associative_embedding import SRAssociativeEmbedding
from .sr_heatmap import SRHeatmap

__all__ = ['SRAssociativeEmbedding', 'SRHeatmap']
