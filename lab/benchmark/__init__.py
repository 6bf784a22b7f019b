"""Measure this package beside MMPose's heads and codecs."""
from .measure import Settings
from .report import draw_figures, format_figures, write_figures
from .run import MEASURES, run_benchmark

__all__ = [
    'MEASURES', 'Settings', 'draw_figures', 'format_figures', 'run_benchmark',
    'write_figures'
]
