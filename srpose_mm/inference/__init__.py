"""Predict on images and videos, and draw what a model sees in them."""
from .prediction import SHIPPED_MODEL, PredictSummary, predict
from .visualization import draw_heatmaps, visualize

__all__ = [
    'SHIPPED_MODEL', 'PredictSummary', 'draw_heatmaps', 'predict', 'visualize'
]
