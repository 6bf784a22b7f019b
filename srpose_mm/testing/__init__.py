"""A toy dataset for the demo, tests and benchmarks."""
from .scenes import Figure, draw_scene
from .toy_dataset import crowd_index, make_toy_dataset

__all__ = ['Figure', 'crowd_index', 'draw_scene', 'make_toy_dataset']
