"""Faults of a dataset, and what MMPose does about them."""
from .checker import check_dataset
from .report import EFFECTS, FAULT_KINDS, DatasetReport, Fault, format_reports

__all__ = [
    'EFFECTS', 'FAULT_KINDS', 'DatasetReport', 'Fault', 'check_dataset',
    'format_reports'
]
