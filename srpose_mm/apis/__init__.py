from .complexity import (
    Complexity,
    complexity,
    complexity_report,
    format_report,
    reported_in_paper,
)
from .convert_checkpoint import Conversion, convert_checkpoint
from .make_toy_dataset import make_toy_dataset
from .mmpose_tools import run_mmpose_tool
from .swap import SwapRefused
from .swap_files import SwapFiles, swap_files
from .swap_head import swap_head
from .sweep_swap_head import stock_configs, sweep_summary, sweep_swap_head
from .visualize import draw_heatmaps, visualize

__all__ = [
    'Complexity', 'Conversion', 'SwapFiles', 'SwapRefused', 'complexity',
    'complexity_report', 'convert_checkpoint', 'draw_heatmaps',
    'format_report', 'make_toy_dataset', 'reported_in_paper',
    'run_mmpose_tool', 'stock_configs', 'swap_files', 'swap_head',
    'sweep_summary', 'sweep_swap_head', 'visualize'
]
