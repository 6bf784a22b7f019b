"""Predict on images and videos, and draw what a model sees in them."""
from .prediction import PredictSummary, predict
from .visualization import draw_heatmaps, visualize

__all__ = ['PredictSummary', 'draw_heatmaps', 'predict', 'visualize']
