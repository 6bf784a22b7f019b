"""Swap the head of every config that MMPose installs."""
from .sweep import stock_configs, sweep_heads, sweep_summary
from .trial import run_once

__all__ = ['run_once', 'stock_configs', 'sweep_heads', 'sweep_summary']
