from .check_dataset import check_dataset
from .complexity import (
    Complexity,
    complexity,
    complexity_report,
    format_report,
    reported_in_paper,
)
from .convert_checkpoint import Conversion, convert_checkpoint
from .draw_heatmaps import draw_heatmaps
from .export import Exported, ExportMismatch
from .export_onnx import export_onnx
from .export_torchscript import export_torchscript
from .make_toy_dataset import make_toy_dataset
from .mmpose_tools import run_mmpose_tool
from .predict import Predicted, predict
from .quantization import quantization
from .quantization_report import draw_quantization, format_quantization
from .swap import SwapRefused
from .swap_files import SwapFiles, swap_files
from .swap_head import swap_head
from .sweep_swap_head import stock_configs, sweep_summary, sweep_swap_head
from .visualize import visualize

__all__ = [
    'Complexity', 'Conversion', 'ExportMismatch', 'Exported', 'Predicted',
    'SwapFiles', 'SwapRefused', 'check_dataset', 'complexity',
    'complexity_report', 'convert_checkpoint', 'draw_heatmaps',
    'draw_quantization', 'export_onnx', 'export_torchscript',
    'format_quantization', 'format_report', 'make_toy_dataset', 'predict',
    'quantization', 'reported_in_paper', 'run_mmpose_tool', 'stock_configs',
    'swap_files', 'swap_head', 'sweep_summary', 'sweep_swap_head', 'visualize'
]
