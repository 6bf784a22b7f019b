"""Deploy trained models: export, fusion, number of parameters."""
from .complexity import Complexity, measure_complexity
from .export import FORMATS, ExportMismatch, ExportResult, export_model
from .fuse import fuse_for_inference

__all__ = [
    'FORMATS', 'Complexity', 'ExportMismatch', 'ExportResult', 'export_model',
    'fuse_for_inference', 'measure_complexity'
]
