import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpose.registry import MODELS

from srpose_mm.apis import visualize
from srpose_mm.apis.visualize import named_heatmaps

from ..conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))


@pytest.fixture
def demo(toy_coco, tmp_path):
    """The demo's config on small data, and initial weights for it."""
    cfg = Config.fromfile(DEMO)
    dataset = cfg.test_dataloader.dataset
    dataset.data_root = str(toy_coco)
    dataset.bbox_file = str(
        toy_coco / 'person_detection_results' /
        'COCO_val2017_detections_AP_H_56_person.json')
    model = MODELS.build(cfg.model)
    torch.nn.init.normal_(model.head.sr_blocks[-1].predictor.weight)
    checkpoint = tmp_path / 'weights.pth'
    torch.save(dict(state_dict=model.state_dict()), checkpoint)
    return cfg, checkpoint, model.eval()


def test_pictures(demo, tmp_path):
    cfg, checkpoint, _ = demo
    files = visualize(cfg, checkpoint, tmp_path / 'out', 2, device='cpu')
    assert len(files) == 4
    assert {file.parent for file in files} == {tmp_path / 'out'}
    for file in files:
        image = cv2.imread(str(file))
        assert image is not None and image.std() > 10
    drawn = cv2.imread(str(files[0]))
    name = files[0].name.replace('_skeletons', '').split('_', 1)[1]
    source = cv2.imread(str(next(
        p for p in (tmp_path.parent).rglob(name))))
    assert drawn.shape == source.shape
    assert np.abs(drawn.astype(int) - source).max() > 50


def test_maps_from_coarse_to_fine(demo):
    _, _, model = demo
    with torch.no_grad():
        maps = named_heatmaps(model, torch.randn(1, 3, 128, 96))
    assert list(maps) == ['LR', 'level 0', 'level 1', 'level 2', 'HR']
    heights = [m.shape[2] for m in maps.values()]
    assert heights == sorted(heights) and heights[-1] == 128


def test_no_box_is_an_error(demo, tmp_path):
    cfg, checkpoint, _ = demo
    with pytest.raises(ValueError, match='no box with a score of 1.1'):
        visualize(cfg, checkpoint, tmp_path, score_thr=1.1, device='cpu')
