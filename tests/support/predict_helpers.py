"""Small models and files for the tests of predict."""
import json

import cv2
import numpy as np
import torch

from ..conftest import CONFIGS

DEMO = next((CONFIGS / 'demo').glob('*.py'))
BOTTOM_UP = next(CONFIGS.rglob('ae-sr_res50*coco-512x512.py'))
SMALL_BOTTOM_UP = {
    'model.backbone.depth': 18,
    'model.head.in_channels': 512,
    'model.head.deconv_out_channels': (8, 8, 8),
    'model.test_cfg.flip_test': False,
    'model.head.decoder.input_size': (128, 128),
    'model.head.decoder.heatmap_size': (128, 128),
    'test_dataloader.dataset.pipeline.1.input_size': (128, 128)
}


def draw_weights(model):
    """Weights that give peaks; initial ones give flat heatmaps."""
    for parameter in model.head.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel()**-0.5)


def save(model, path):
    torch.save(dict(state_dict=model.state_dict(), meta=dict()), path)
    return path


def picture(path, height=48, width=64, channels=3):
    """Write an image of noise and shapes; give its pixels."""
    shape = (height, width, channels)[:2 if channels == 1 else 3]
    image = np.random.randint(0, 256, shape, dtype=np.uint8)
    cv2.circle(image, (width // 2, height // 2), 9, (40, 90, 200, 255), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_encoded, contents = cv2.imencode(path.suffix or '.png', image)
    assert is_encoded
    path.write_bytes(contents)
    return image


def video(path, num_frames=3):
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*'MJPG'), 7., (64, 48))
    for _ in range(num_frames):
        writer.write(np.random.randint(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path


def load(path):
    content = json.loads(path.read_text())
    assert set(content) == {'meta', 'predictions'}
    return content


def people(path):
    """The instances of an image's JSON file."""
    [frame] = load(path)['predictions']
    assert frame['frame_id'] == 0
    return frame['instances']


def assert_same(instances, sample):
    """What was written is what MMPose's own function predicts."""
    predicted = sample.pred_instances
    assert len(instances) == len(predicted) > 0
    for person, points, scores in zip(instances, predicted.keypoints,
                                      predicted.keypoint_scores):
        np.testing.assert_array_equal(person['keypoints'], points)
        np.testing.assert_array_equal(person['keypoint_scores'], scores)
