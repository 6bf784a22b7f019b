from typing import Optional, Sequence, Union

import torch
from mmpose.models.pose_estimators import BottomupPoseEstimator

from ..configs import ConfigLike
from .predict_files import OutFolder, PathLike
from .predict_models import PersonDetector, load_estimator
from .predict_run import Predicted, PredictRun
from .predict_sources import find_sources


def predict(config: ConfigLike,
            checkpoint: PathLike,
            inputs: Union[PathLike, Sequence[PathLike]],
            out_dir: PathLike,
            det_config: Optional[ConfigLike] = None,
            det_checkpoint: Optional[PathLike] = None,
            bbox_thr: float = 0.3,
            nms_thr: float = 0.3,
            kpt_thr: float = 0.3,
            pictures: bool = True,
            device: Optional[str] = None,
            cfg_options: Optional[dict] = None) -> Predicted:
    """Find people's keypoints in images and videos.

    It takes any top-down or bottom-up model of this package or MMPose. An
    image ``a.jpg`` gives the picture ``a.jpg`` with skeletons and
    ``a.jpg.json``; a video gives an mp4 and a JSON file. Files of a folder
    keep their path within it below ``out_dir``, and nothing is written
    elsewhere. Each JSON file has the same layout, an image being one frame;
    coordinates are px of the image, boxes xyxy::

        {"meta": {"source": "images/a.jpg", "size": [640, 480], "fps": null,
                  "dataset": "coco", "keypoint_names": ["nose", ...],
                  "skeleton_links": [[15, 13], ...]},
         "predictions": [
            {"frame_id": 0, "instances": [
                {"bbox": [x1, y1, x2, y2], "bbox_score": 0.9,
                 "keypoints": [[x, y], ...], "keypoint_scores": [0.8, ...]},
                ...]}, ...]}

    A bottom-up model that predicts no boxes gets those around the keypoints,
    and where it has no score of a person, the mean over its keypoints.

    Args:
        config: The model's config, its file, ``PACKAGE::PATH`` or a bare name
            of this package or MMPose.
        checkpoint: Its weights, a local file, of which only tensors and plain
            values are read.
        inputs: Images, videos and folders, which are searched with what lies
            below but for folders that are links. What cannot be read is
            skipped.
        out_dir: Folder to write to. Results of earlier runs are replaced.
        det_config: Config of a detector of MMDetection that finds the boxes
            of people for a top-down model. Without it the whole image is one.
        det_checkpoint: Weights of the detector.
        bbox_thr: Lowest score of a detected box, itself left out.
        nms_thr: Highest IoU of two detected boxes.
        kpt_thr: Lowest score of a keypoint that is drawn.
        pictures: Whether to draw; JSON files are always written.
        device: Where to run; ``None`` takes a GPU where there is one.
        cfg_options: Changes of the config, e.g.
            ``{'model.test_cfg.flip_test': False}``.

    Returns:
        Numbers of images and people, the files written and those skipped.

    Raises:
        FileNotFoundError: If a config or checkpoint is not there.
        TypeError: If the model is neither top-down nor bottom-up.
        ValueError: If a folder has no image and no video, an input or
            checkpoint is a URL, a result would replace an input, a checkpoint
            is damaged, could run code, belongs to another model or is not
            finite, or if a detector is given by half or for a bottom-up
            model.
    """
    if (det_config is None) != (det_checkpoint is None):
        raise ValueError('predict: expected det_config and det_checkpoint '
                         'together, got one of them; give both')
    sources = find_sources(inputs, out_dir)
    if device is None:
        device = 'cuda' if torch.cuda.is_available() else 'cpu'
    detector = None
    if det_config is not None:
        detector = PersonDetector(det_config, det_checkpoint, device, bbox_thr,
                                  nms_thr)
    model = load_estimator(config, checkpoint, device, cfg_options)
    if detector and isinstance(model, BottomupPoseEstimator):
        raise ValueError('predict: expected no det_config for a bottom-up '
                         'model, which finds people itself; leave it out')
    run = PredictRun(model, detector, OutFolder(out_dir), kpt_thr, pictures)
    return run(sources)
