from .files import SwapFiles, swap_files
from .stock_model import SwapRefused
from .swap_head import swap_head

__all__ = ['SwapFiles', 'SwapRefused', 'swap_files', 'swap_head']
