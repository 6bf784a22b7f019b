from .sr_associative_embedding_head import SRAssociativeEmbeddingHead
from .sr_head import SRHead
from .srpose_head import SRPoseHead

__all__ = ['SRAssociativeEmbeddingHead', 'SRHead', 'SRPoseHead']
