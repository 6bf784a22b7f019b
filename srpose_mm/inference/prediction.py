from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from time import perf_counter
from typing import Dict, List, Optional, Sequence, Tuple, Union

import cv2
import mmcv
import mmengine
from mmengine.config import Config
from mmengine.structures import InstanceData
from mmpose.structures import split_instances
from rich.console import Console
from rich.progress import Progress

from ..configs import ConfigLike, locate_config
from ..console import get_logger
from ..datasets.utils import keypoint_names
from . import files
from .inferencer import PoseInferencer, output_metainfo

SHIPPED_MODEL = 'td-srpose_efficientnet-lite0_1xb32-10e_lspet-160x160'


@dataclass
class PredictSummary:
    """Results of :func:`predict`.

    Attributes:
        images: Number of images and frames of videos, without skipped files.
        instances: Number of instances in them.
        predictions: For each file the instances of its frames; an image has
            one frame. N instances have ``keypoints`` (N, K, 2), ``bboxes``
            (N, 4), xyxy, both in px of the upright image, ``keypoint_scores``
            (N, K) and ``bbox_scores`` (N).
        files: The files written.
        skipped: Each file that was skipped, and the reason.
        seconds: Duration, with reading and writing.
    """
    images: int = 0
    instances: int = 0
    predictions: Dict[Path, List[InstanceData]] = field(default_factory=dict)
    files: List[Path] = field(default_factory=list)
    skipped: List[Tuple[Path, str]] = field(default_factory=list)
    seconds: float = 0.

    def __str__(self) -> str:
        rate = self.images / max(self.seconds, 1e-9)
        return (f'{self.images} images, {self.instances} instances, '
                f'{len(self.skipped)} files skipped, {rate:.1f} images/s')


def predict(inputs: Union[files.PathLike, Sequence[files.PathLike]],
            config: ConfigLike = SHIPPED_MODEL,
            checkpoint: Optional[files.PathLike] = None,
            out_dir: Optional[files.PathLike] = None,
            det_config: Optional[ConfigLike] = None,
            det_checkpoint: Optional[files.PathLike] = None,
            bbox_thr: float = 0.3,
            nms_thr: float = 0.3,
            kpt_thr: float = 0.3,
            pictures: bool = True,
            device: Optional[str] = None,
            cfg_options: Optional[dict] = None,
            det_classes: Sequence[str] = ('person', ),
            batch_size: int = 32) -> PredictSummary:
    """Predict the keypoints of all instances in images and videos.

    The results of ``a.jpg`` are the picture ``a.jpg`` with skeletons and
    ``a.jpg.json``; those of a video are an mp4 and a JSON file. Files of a
    folder keep their path below ``out_dir``. The layout of all JSON files is::

        {"meta": {"source": "images/a.jpg", "size": [640, 480], "fps": null,
                  "dataset": "coco", "keypoint_names": ["nose", ...],
                  "skeleton_links": [[15, 13], ...]},
         "predictions": [{"frame_id": 0, "instances": [
            {"bbox": [x1, y1, x2, y2], "bbox_score": 0.9,
             "keypoints": [[x, y], ...], "keypoint_scores": [0.8, ...]},
            ...]}, ...]}

    If a bottom-up model predicts no box, the box encloses the keypoints; if it
    predicts no score, the score is the mean of the keypoint scores.

    Args:
        inputs: Images, videos and folders, which are searched at any depth.
        config: Config of a top-down or bottom-up model; see
            :func:`srpose_mm.configs.load_config`. By default the model whose
            weights this package has.
        checkpoint: Weights, a file or URL; see
            :func:`srpose_mm.checkpoints.load_weights`. If it is ``None``, the
            weights beside the config.
        out_dir: Folder of the results, where older results are replaced. If
            it is ``None``, nothing is written.
        det_config: Config of an MMDetection detector for top-down models. If
            it is ``None``, the image is one instance.
        det_checkpoint: Weights of the detector, a file or URL.
        bbox_thr: Detected boxes need a higher score.
        nms_thr: Highest IoU of two detected boxes.
        kpt_thr: Lowest score of a keypoint that is drawn.
        pictures: If it is false, only JSON files are written.
        device: Device of the models. If it is ``None``, a GPU if possible.
        cfg_options: Changes of the config, e.g.
            ``{'model.test_cfg.flip_test': False}``.
        det_classes: Classes of the detector that count, e.g. ``['bird']``.
        batch_size: Number of boxes of an image that are processed at once.

    Returns:
        The keypoints, and lists of the files written and skipped.

    Raises:
        FileNotFoundError: If a config or checkpoint does not exist.
        ImportError: If a detector is given and MMDetection is missing.
        RuntimeError: If a batch does not fit into memory; set a smaller
            ``batch_size``.
        TypeError: If the model is neither top-down nor bottom-up.
        ValueError: If an input is a URL, a folder has no image and no video,
            two inputs have the same result, a result would replace an
            input, a checkpoint is refused, or the detector is incomplete,
            lacks a class or meets a bottom-up model.
    """
    start = perf_counter()
    if isinstance(inputs, (str, Path)):
        inputs = [inputs]
    sources = files.find_sources(inputs, out_dir)
    inferencer = PoseInferencer(config, checkpoint or _weights_beside(config),
                                device, cfg_options, det_config,
                                det_checkpoint, det_classes, batch_size)
    out_dir = out_dir and Path(out_dir).resolve()
    options = dict(
        bbox_thr=bbox_thr,
        nms_thr=nms_thr,
        kpt_thr=kpt_thr,
        thickness=2,
        return_vis=pictures and out_dir is not None,
        return_datasamples=True)
    summary = _predict_files(sources, inferencer, out_dir, options)
    summary.seconds = perf_counter() - start
    get_logger().info(
        f'{summary}; results in {out_dir}' if out_dir else summary)
    return summary


def _weights_beside(config: ConfigLike) -> Path:
    """Return the weights that this package has for a config."""
    if isinstance(config, Config):
        raise ValueError('predict: expected a checkpoint for a loaded config, '
                         'got None; name the checkpoint')
    weights = Path(locate_config(config)).with_suffix('.safetensors')
    if not weights.is_file():
        raise ValueError(f'predict: expected a checkpoint for {config}, got '
                         f'None, and {weights.name} is not beside the config; '
                         'name the checkpoint')
    return weights


def _predict_files(sources: List[files.Source], inferencer: PoseInferencer,
                   out_dir: Optional[Path], options: dict) -> PredictSummary:
    """Predict on all files, of which unreadable ones are skipped."""
    summary = PredictSummary()
    with Progress(console=Console(stderr=True)) as bar:
        for source in bar.track(sources, description='predicting'):
            try:
                _predict_file(source, inferencer, out_dir, options, summary,
                              bar)
            # OpenCV refuses some sizes by an error of its own.
            except (files.SkippedFile, OSError, cv2.error) as err:
                # The text of an OSError names a temporary file.
                reason = getattr(err, 'strerror', None) or str(err).strip()
                summary.skipped.append((source.path, reason))
                # Quoted, because a name can have line breaks.
                get_logger().warning(f'skipped {str(source.path)!r}: {reason}')
    return summary


def _predict_file(source: files.Source, inferencer: PoseInferencer,
                  out_dir: Optional[Path], options: dict,
                  summary: PredictSummary, bar: Progress) -> None:
    """Predict on an image or a video, write the results and count them."""
    frames, fps, total = files.read_frames(source, inferencer.load_options)
    predictions = []
    with ExitStack() as stack:
        if source.is_video:
            task = bar.add_task('frames', total=max(total, 1))
            stack.callback(bar.remove_task, task)
            frames = bar.track(frames, task_id=task)
        if options['return_vis']:
            write = stack.enter_context(
                files.picture_writer(out_dir, source.picture, fps))
        for frame in frames:
            [result] = inferencer(frame, **options)
            predictions.append(result['predictions'][0].pred_instances)
            for picture in result['visualization'] or []:
                write(mmcv.rgb2bgr(picture))
        if not predictions:
            raise files.SkippedFile('no frame of it can be read')
    if len(predictions) < total:
        get_logger().warning(f'{str(source.path)!r}: {len(predictions)} of '
                             f'{total} frames could be read')
    if options['return_vis']:
        summary.files.append(out_dir / source.picture)
    if out_dir is not None:
        info = output_metainfo(inferencer.model)
        meta = dict(
            source=str(source.path),
            size=frame.shape[1::-1],
            fps=fps,
            dataset=info['dataset_name'],
            keypoint_names=keypoint_names(info),
            skeleton_links=info['skeleton_links'])
        with files.result_file(out_dir, source.predictions) as path:
            mmengine.dump(dict(meta=meta, predictions=_listed(predictions)),
                          path)
        summary.files.append(out_dir / source.predictions)
    summary.images += len(predictions)
    summary.instances += sum(map(len, predictions))
    summary.predictions[source.path] = predictions


def _listed(predictions: List[InstanceData]) -> List[dict]:
    """Return the instances of each frame as a list."""
    frames = []
    for frame_id, instances in enumerate(map(split_instances, predictions)):
        for instance in instances:
            # MMPose wraps the box once more.
            [instance['bbox']] = instance['bbox']
        frames.append(dict(frame_id=frame_id, instances=instances))
    return frames
