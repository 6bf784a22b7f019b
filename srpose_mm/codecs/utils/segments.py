import torch.nn.functional as F
from torch import Tensor

SEGMENT = 64


def in_segments(maps: Tensor, fill: float) -> Tensor:
    """Cut maps into runs of cells, row after row.

    Args:
        maps: Maps in shape (..., H, W).
        fill: Value of the cells that the last segment lacks.

    Returns:
        Segments in shape (..., M, 64). A view where nothing is lacking.
    """
    cells = maps.flatten(-2)
    lacking = -cells.shape[-1] % SEGMENT
    if lacking:
        cells = F.pad(cells, (0, lacking), value=fill)
    return cells.unflatten(-1, (-1, SEGMENT))
