"""What is decoded of maps that are no heatmaps, as docs/robustness.md says."""
import numpy as np
import pytest
import torch
from torch import inf, nan

from srpose_mm.codecs import SRHeatmap

NOWHERE = (-1, -1)


def with_one(value):
    heatmap = torch.rand(16, 12, generator=torch.Generator().manual_seed(0))
    heatmap[5, 6] = value
    return heatmap


# Map: cell, score.
MAPS = {
    'zeros': (torch.zeros(16, 12), NOWHERE, 0),
    'negative': (-with_one(2.), NOWHERE, None),
    'NaN': (torch.full((16, 12), nan), NOWHERE, 0),
    'one NaN': (with_one(nan), NOWHERE, 0),
    'equal': (torch.full((16, 12), 2.), (0, 0), 2),
    'infinite': (torch.full((16, 12), inf), (0, 0), inf),
    'one infinite': (with_one(inf), (6, 5), inf),
    'minus infinite': (torch.full((16, 12), -inf), NOWHERE, -inf),
}


@pytest.mark.parametrize('refine', ['none', 'shift', 'dark', 'parabola'])
@pytest.mark.parametrize('name', MAPS)
def test_cell_and_score(name, refine):
    heatmap, cell, score = MAPS[name]
    if score is None:
        score = heatmap.max().item()
        assert score < 0
    codec = SRHeatmap(
        input_size=(12, 16), heatmap_size=(12, 16), sigma=2, refine=refine)
    before = heatmap.clone()
    on_tensors = [np.asarray(part[0])
                  for part in codec.batch_decode(heatmap[None, None])]
    for keypoints, scores in (on_tensors, codec.decode(heatmap[None].numpy())):
        # It leans towards the higher neighbor, by a quarter.
        leans = 0.25 if (refine, name) == ('shift', 'one infinite') else 0
        assert (abs(np.ravel(keypoints) - cell) == leans).all()
        np.testing.assert_array_equal(np.ravel(scores), np.float32(score))
    assert torch.equal(heatmap.nan_to_num(), before.nan_to_num())
