from .report import draw_figures, format_figures, format_result
from .run import MEASURES, as_json, benchmark
from .timing import Figure

__all__ = [
    'MEASURES', 'Figure', 'as_json', 'benchmark', 'draw_figures',
    'format_figures', 'format_result'
]
