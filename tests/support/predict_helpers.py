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
SMALL_DETECTOR = {
    'model.backbone.deepen_factor': 0.1,
    'model.backbone.widen_factor': 0.125,
    'model.neck.in_channels': (32, 64, 128),
    'model.neck.out_channels': 32,
    'model.bbox_head.in_channels': 32,
    'model.bbox_head.feat_channels': 32,
    'model.test_cfg.max_per_img': 12,
    'test_dataloader.dataset.pipeline.1.scale': (160, 160),
}


def draw_weights(model):
    """Draw weights that give peaks; initial ones give flat heatmaps."""
    for parameter in model.head.parameters():
        if parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel()**-0.5)


def save(model, path, **meta):
    torch.save(dict(state_dict=model.state_dict(), meta=meta), path)
    return path


def picture(path, height=48, width=64, channels=3):
    """Write an image of noise and shapes and return its pixels."""
    shape = (height, width, channels)[:2 if channels == 1 else 3]
    image = np.random.randint(0, 256, shape, dtype=np.uint8)
    cv2.circle(image, (width // 2, height // 2), 9, (40, 90, 200, 255), -1)
    path.parent.mkdir(parents=True, exist_ok=True)
    is_encoded, contents = cv2.imencode(path.suffix or '.png', image)
    assert is_encoded
    path.write_bytes(contents)
    return image


def video(path, num_frames=3, codec='MJPG'):
    """Write a video of 7 noisy frames a second, 64x48 px."""
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*codec), 7., (64, 48))
    for _ in range(num_frames):
        writer.write(np.random.randint(0, 256, (48, 64, 3), dtype=np.uint8))
    writer.release()
    return path


def phone_video(path, num_frames=3):
    """Write an mp4 to be shown a quarter turn clockwise.

    Returns:
        Its upright frames.
    """
    video(path, num_frames, 'mp4v')
    frames = read_video(path)
    contents = path.read_bytes()
    # The matrix of the track header: 16 bits before the point, in the last
    # column 2.
    one = 1 << 16
    plain, turned = (
        np.array(matrix + [0, 0, 1 << 30], '>i4').tobytes()
        for matrix in ([one, 0, 0, 0, one, 0], [0, one, 0, -one, 0, 0]))
    start = contents.index(b'tkhd')
    head, track = contents[:start], contents[start:]
    assert plain in track
    path.write_bytes(head + track.replace(plain, turned, 1))
    return [cv2.rotate(frame, cv2.ROTATE_90_CLOCKWISE) for frame in frames]


def read_video(path):
    return [frame for _, frame in iter(
        cv2.VideoCapture(str(path)).read, (False, None))]


def load(path):
    content = json.loads(path.read_text())
    assert set(content) == {'meta', 'predictions'}
    return content


def instances_of(path):
    """Return the instances of an image's JSON file."""
    [frame] = load(path)['predictions']
    assert frame['frame_id'] == 0
    return frame['instances']


def assert_same(instances, sample):
    """Compare what was written with what MMPose's own function predicts."""
    predicted = sample.pred_instances
    assert len(instances) == len(predicted) > 0
    for instance, points, scores in zip(instances, predicted.keypoints,
                                        predicted.keypoint_scores):
        np.testing.assert_array_equal(instance['keypoints'], points)
        np.testing.assert_array_equal(instance['keypoint_scores'], scores)
