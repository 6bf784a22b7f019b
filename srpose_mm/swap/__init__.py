from .refusal import SwapRefused

__all__ = ['SwapRefused']
