from .stock_model import SwapRefused

__all__ = ['SwapRefused']
