from .check_data.check_dataset import check_dataset
from .checkpoints.convert_checkpoint import Conversion, convert_checkpoint
from .console import run_mmpose_tool
from .deploy import Exported, ExportMismatch
from .deploy.complexity import (
    Complexity,
    complexity,
    complexity_report,
    format_report,
    reported_in_paper,
)
from .deploy.export_onnx import export_onnx
from .deploy.export_torchscript import export_torchscript
from .deploy.fuse import fuse_for_inference
from .inference.draw_heatmaps import draw_heatmaps
from .inference.predict import Predicted, predict
from .inference.visualize import visualize
from .swap import SwapRefused
from .swap.swap_files import SwapFiles, swap_files
from .swap.swap_head import swap_head
from .testing.make_toy_dataset import make_toy_dataset

__all__ = [
    'Complexity', 'Conversion', 'ExportMismatch', 'Exported', 'Predicted',
    'SwapFiles', 'SwapRefused', 'check_dataset', 'complexity',
    'complexity_report', 'convert_checkpoint', 'draw_heatmaps', 'export_onnx',
    'export_torchscript', 'format_report', 'fuse_for_inference',
    'make_toy_dataset', 'predict', 'reported_in_paper', 'run_mmpose_tool',
    'swap_files', 'swap_head', 'visualize'
]
