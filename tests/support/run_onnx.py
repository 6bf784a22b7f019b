"""Predict with an exported ONNX file, without MMPose and this package."""
import json

import cv2
import numpy as np
import onnxruntime


def predict(path, image, box):
    """Return keypoints (K, 2) in image px and scores (K, ) of an instance.

    Args:
        path: ONNX file of a top-down model with decoding.
        image: Image as OpenCV reads it, (H, W, 3) or (H, W).
        box: Box of the instance as x1, y1, x2, y2 in px.
    """
    session = onnxruntime.InferenceSession(
        path, providers=['CPUExecutionProvider'])
    metadata = session.get_modelmeta().custom_metadata_map
    facts = {key: json.loads(value) for key, value in metadata.items()}
    size, (x1, y1, x2, y2) = np.array(facts['input_size']), box

    center = np.array([x1 + x2, y1 + y2]) / 2
    scale = np.array([x2 - x1, y2 - y1]) * facts['box_padding']
    scale = size * np.max(scale / size)  # enlarge to the aspect ratio
    factor = (size - facts['udp']) / scale
    matrix = np.column_stack([np.diag(factor), factor * (scale / 2 - center)])
    crop = cv2.warpAffine(image, matrix, size.tolist())

    if facts['channel_order'] == 'RGB':
        crop = crop[..., ::-1]
    crop = crop.reshape(*crop.shape[:2], -1)  # gray: (H, W, 1)
    inputs = (crop - np.array(facts['mean'])) / np.array(facts['std'])
    inputs = inputs.transpose(2, 0, 1)[None].astype(np.float32)
    keypoints, scores = session.run(None, dict(inputs=inputs))
    return keypoints[0] / size * scale + center - scale / 2, scores[0]
