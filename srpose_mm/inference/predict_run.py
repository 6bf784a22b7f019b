import json
from contextlib import ExitStack, contextmanager
from pathlib import Path
from time import perf_counter
from typing import Iterator, List, NamedTuple, Optional, Tuple

import cv2
import mmcv
import numpy as np
from mmengine.logging import MMLogger
from mmpose.structures import PoseDataSample, split_instances
from mmpose.visualization import PoseLocalVisualizer
from rich.console import Console
from rich.progress import Progress
from torch import nn

from .draw_heatmaps import keypoint_names
from .predict_files import (
    OutFolder,
    SkippedFile,
    frames,
    open_video,
    read_image,
    video_writer,
)
from .predict_models import PersonDetector, find_people
from .predict_sources import Source


class Predicted(NamedTuple):
    """What :func:`predict` did.

    Attributes:
        images: Number of images and frames of videos, without those of files
            that were left out.
        people: Number of people in them.
        files: The files written.
        skipped: Each input that was left out, and why.
        seconds: What it took, with reading and writing.
    """
    images: int
    people: int
    files: List[Path]
    skipped: List[Tuple[Path, str]]
    seconds: float

    def summary(self) -> str:
        """All of it in one line."""
        rate = self.images / self.seconds if self.seconds else 0.
        return (f'{self.images} images, {self.people} people, '
                f'{len(self.skipped)} files skipped, {rate:.1f} images/s')


class PredictRun:
    """One run over many files, and what comes of it.

    Args:
        model: A model of :func:`load_estimator`.
        detector: Finds the boxes of people for a top-down model.
        out: Where the results go.
        kpt_thr: Lowest score of a keypoint that is drawn.
        pictures: Whether to draw.
    """

    def __init__(self, model: nn.Module, detector: Optional[PersonDetector],
                 out: OutFolder, kpt_thr: float, pictures: bool):
        self.model, self.detector = model, detector
        self.out, self.kpt_thr = out, kpt_thr
        self.artist = None
        if pictures:
            self.artist = PoseLocalVisualizer(radius=3, line_width=2)
            self.artist.set_dataset_meta(model.dataset_meta)
        self.images, self.people = 0, 0
        self.files, self.skipped = [], []
        self.logger = _logger()

    def __call__(self, sources: List[Source]) -> Predicted:
        """Predict on each file and write; skip those that cannot be read.

        Args:
            sources: The files.

        Returns:
            What was done, which is logged as well.
        """
        start = perf_counter()
        with Progress(console=Console(stderr=True)) as progress:
            for source in progress.track(sources, description='predicting'):
                try:
                    if source.is_video:
                        found = self._video(source, progress)
                    else:
                        found = [self._image(source)]
                    self.images += len(found)
                    self.people += sum(map(len, found))
                # OpenCV refuses some sizes by an error of its own.
                except (SkippedFile, OSError, cv2.error) as err:
                    self.skipped.append((source.path, str(err)))
                    # Quoted, because a name can have line breaks.
                    self.logger.warning(
                        f'skipped {str(source.path)!r}: {err}')
        predicted = Predicted(self.images, self.people, self.files,
                              self.skipped,
                              perf_counter() - start)
        self.logger.info(f'{predicted.summary()}; results in {self.out.root}')
        return predicted

    def _image(self, source: Source) -> List[dict]:
        """Predict on an image and write; give its people."""
        image = read_image(source.path)
        sample = find_people(self.model, image, self.detector)
        people = _instances(sample)
        if self.artist:
            drawn = self._draw(image, sample)
            is_encoded, contents = cv2.imencode(source.drawn.suffix, drawn)
            if not is_encoded:
                raise SkippedFile('OpenCV cannot write its picture')
            with self._writing(source.drawn) as path:
                path.write_bytes(contents)
        self._write_json(source, [people], image.shape)
        return people

    def _video(self, source: Source,
               progress: Progress) -> List[List[dict]]:
        """Predict on a video and write; give the people of each frame."""
        video = open_video(source.path)
        total = int(np.nan_to_num(video.get(cv2.CAP_PROP_FRAME_COUNT)))
        fps = video.get(cv2.CAP_PROP_FPS) or 25.
        task = progress.add_task('frames', total=max(total, 1))
        people = []
        with ExitStack() as stack:
            stack.callback(video.release)
            stack.callback(progress.remove_task, task)
            if self.artist:
                path = stack.enter_context(self._writing(source.drawn))
                write = stack.enter_context(video_writer(path, fps))
            for frame in progress.track(frames(video), task_id=task):
                sample = find_people(self.model, frame, self.detector)
                people.append(_instances(sample))
                if self.artist:
                    write(self._draw(frame, sample))
            if not people:
                raise SkippedFile('no frame of it can be read')
        if len(people) < total:
            self.logger.warning(f'{str(source.path)!r}: {len(people)} of '
                                f'{total} frames could be read')
        self._write_json(source, people, frame.shape, fps)
        return people

    def _draw(self, image: np.ndarray, sample: PoseDataSample) -> np.ndarray:
        drawn = self.artist.add_datasample(
            'result',
            mmcv.bgr2rgb(image),
            sample,
            draw_gt=False,
            kpt_thr=self.kpt_thr)
        return mmcv.rgb2bgr(drawn)

    def _write_json(self,
                    source: Source,
                    people: List[List[dict]],
                    shape: Tuple[int, ...],
                    fps: Optional[float] = None) -> None:
        dataset = self.model.dataset_meta
        meta = dict(
            source=str(source.path),
            size=[shape[1], shape[0]],
            fps=fps,
            dataset=dataset['dataset_name'],
            keypoint_names=keypoint_names(self.model),
            skeleton_links=np.asarray(dataset['skeleton_links']).tolist())
        predictions = [
            dict(frame_id=index, instances=instances)
            for index, instances in enumerate(people)
        ]
        contents = json.dumps(dict(meta=meta, predictions=predictions))
        with self._writing(source.predictions) as path:
            path.write_text(contents, encoding='utf-8')

    @contextmanager
    def _writing(self, name: Path) -> Iterator[Path]:
        with self.out.writing(name) as path:
            yield path
        self.files.append(self.out.root / name)


def _instances(sample: PoseDataSample) -> List[dict]:
    """The people of a sample as plain values."""
    people = split_instances(sample.get('pred_instances'))
    for person in people:
        # MMPose wraps the box once more.
        [person['bbox']] = person['bbox']
        person['bbox_score'] = float(person['bbox_score'])
    return people


def _logger() -> MMLogger:
    name = 'srpose_mm'
    # MMEngine warns of arguments for a logger that is there.
    is_there = MMLogger.check_instance_created(name)
    return MMLogger.get_instance(name, **({} if is_there else
                                          dict(logger_name=name)))
