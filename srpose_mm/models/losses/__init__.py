from .separable_mse_loss import SeparableMSELoss

__all__ = ['SeparableMSELoss']
