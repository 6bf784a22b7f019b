"""The visualizer of predict."""
import cv2
import numpy as np
from mmengine.structures import InstanceData
from mmpose.structures import PoseDataSample

from srpose_mm.inference.visualizer import KeypointVisualizer


def test_keypoints_are_drawn_as_circles():
    points = np.float32([[[9.6, 12.2], [30, 20]]])
    sample = PoseDataSample(
        pred_instances=InstanceData(
            keypoints=points,
            keypoint_scores=np.ones((1, 2)),
            keypoints_visible=np.float32([[1, 0.1]])))
    visualizer = KeypointVisualizer(radius=5, alpha=1)
    visualizer.set_dataset_meta(
        dict(keypoint_colors=np.uint8([[10, 200, 90]] * 2)))
    image = np.full((32, 40, 3), 60, np.uint8)
    drawn = visualizer.add_datasample(
        '', image, sample, draw_gt=False, draw_bbox=False, kpt_thr=0.3)
    expected = cv2.circle(image.copy(), (9, 12), 5, (10, 200, 90), -1)
    np.testing.assert_array_equal(drawn, expected)
