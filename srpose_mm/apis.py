from .check_data import check_dataset
from .checkpoints import (
    CheckpointError,
    convert_checkpoint,
    load_checkpoint,
    load_weights,
)
from .console import run_mmpose_tool
from .deploy import (
    Complexity,
    ExportMismatch,
    ExportResult,
    export_model,
    fuse_for_inference,
    measure_complexity,
)
from .inference import PredictSummary, draw_heatmaps, predict, visualize
from .swap import SwapFiles, SwapRefused, swap_files, swap_head
from .testing import make_toy_dataset

__all__ = [
    'CheckpointError', 'Complexity', 'ExportMismatch', 'ExportResult',
    'PredictSummary', 'SwapFiles', 'SwapRefused', 'check_dataset',
    'convert_checkpoint', 'draw_heatmaps',
    'export_model', 'fuse_for_inference', 'load_checkpoint', 'load_weights',
    'make_toy_dataset', 'measure_complexity', 'predict', 'run_mmpose_tool',
    'swap_files', 'swap_head', 'visualize'
]
