from .options import SwapOptions
from .stock_model import SwapRefused

__all__ = ['SwapOptions', 'SwapRefused']
