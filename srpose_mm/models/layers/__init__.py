from .conv_bn_relu import ConvBNReLU
from .refinement_block import RefinementBlock
from .sr_block import SRBlock

__all__ = ['ConvBNReLU', 'RefinementBlock', 'SRBlock']
