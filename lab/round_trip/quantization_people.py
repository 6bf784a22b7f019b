import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import List, NamedTuple, Tuple, Union

import numpy as np
from mmengine.dataset import Compose
from mmpose.datasets.datasets.base import BaseCocoStyleDataset
from mmpose.datasets.transforms import GetBBoxCenterScale, TopdownAffine

# Random points keep this distance in px from the border of the input, where
# rounding clamps and refinements lack a neighbour.
MARGIN = 32


class Points(NamedTuple):
    """M keypoints of people that are cropped to the network's input.

    Attributes:
        keypoints: Keypoints in shape (M, 2), in image px.
        inputs: The same in input px.
        centers: Centres of their crops in shape (M, 2), in image px.
        scales: (w, h) of their crops in shape (M, 2), in image px.
        input_size: (w, h) of the input, in px.
        outside: How many more are labelled, but not in the crop.
    """

    keypoints: np.ndarray
    inputs: np.ndarray
    centers: np.ndarray
    scales: np.ndarray
    input_size: Tuple[int, int]
    outside: int

    def errors(self, decoded: np.ndarray) -> np.ndarray:
        """Distances of decoded keypoints from the true ones.

        They are taken in the image, where MMPose's estimators bring what a
        codec decodes, because UDP's way there is not its way back.

        Args:
            decoded: Keypoints in shape (M, 2), in input px.

        Returns:
            Distances in shape (2, M): in input px and in image px.
        """
        images = into_image(decoded, self.input_size, self.centers,
                            self.scales)
        distances = np.linalg.norm(images - self.keypoints, axis=-1)
        # The crop has the input's aspect ratio.
        zoom = self.input_size[0] / self.scales[:, 0]
        return np.stack([distances * zoom, distances])


def into_image(keypoints: np.ndarray, input_size: Tuple[int, int],
               centers: np.ndarray, scales: np.ndarray) -> np.ndarray:
    """Bring keypoints into the image, as MMPose's top-down estimator does.

    Args:
        keypoints: Keypoints in shape (..., 2), in input px.
        input_size: (w, h) of the input, in px.
        centers: Centres of the crops, which broadcast to that, in image px.
        scales: (w, h) of the crops, likewise.

    Returns:
        Keypoints in shape (..., 2), in image px.
    """
    return keypoints / input_size * scales + centers - 0.5 * scales


def annotated_people(ann_file: Union[str, Path]) -> List[dict]:
    """The people that MMPose would train on.

    Args:
        ann_file: Annotations in COCO's format; no image is read.

    Returns:
        For each its data as MMPose loads it.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If nobody in it has keypoints.
    """
    if not Path(ann_file).is_file():
        raise FileNotFoundError(
            'quantization: expected ann_file to be annotations in COCO\'s '
            f'format, got {str(ann_file)!r}, where there is no file')
    # The reader of annotations prints, and results go to the standard output.
    with redirect_stdout(sys.stderr):
        people = BaseCocoStyleDataset(
            ann_file=str(ann_file), lazy_init=True).load_data_list()
    if not people:
        raise ValueError('quantization: expected ann_file to hold people with '
                         f'keypoints, got none in {str(ann_file)!r}')
    return people


def random_people(number: int, input_size: Tuple[int, int],
                  seed: int) -> List[dict]:
    """People of one keypoint, whose box is the input itself.

    Args:
        number: How many.
        input_size: (w, h) of the input, in px.
        seed: Seed of the keypoints, which are uniform in the input ``MARGIN``
            px from its border.

    Returns:
        For each its data as MMPose loads it.

    Raises:
        ValueError: If ``number`` is not positive or the input too small.
    """
    if number < 1:
        raise ValueError('quantization: expected random to be positive, got '
                         f'{number}')
    if min(input_size) <= 2 * MARGIN:
        raise ValueError(
            f'quantization: expected an input_size above {2 * MARGIN} px for '
            f'random points, which keep {MARGIN} px from the border, got '
            f'{tuple(input_size)}')
    size = np.array(input_size, dtype=np.float32)
    points = np.random.default_rng(seed).uniform(
        MARGIN, size - MARGIN, (number, 1, 1, 2)).astype(np.float32)
    return [
        dict(
            bbox=np.array([[0, 0, *size]], dtype=np.float32),
            keypoints=point,
            keypoints_visible=np.ones((1, 1), dtype=np.float32))
        for point in points
    ]


def crop_people(people: List[dict], input_size: Tuple[int, int],
                padding: float, use_udp: bool) -> Points:
    """Crop people as MMPose's test pipelines do, without their images.

    Args:
        people: Their data.
        input_size: (w, h) of the input, in px.
        padding: Size of the crop in boxes.
        use_udp: Whether pixels map as in UDP.

    Returns:
        The keypoints that are labelled and in the crop.
    """
    transform = Compose([
        GetBBoxCenterScale(padding),
        TopdownAffine(tuple(input_size), use_udp)
    ])
    # There are no images: an empty list of them is warped.
    cropped = [transform(dict(person, img=[])) for person in people]
    keypoints = np.concatenate([c['keypoints'] for c in cropped])
    inputs = np.concatenate([c['transformed_keypoints'] for c in cropped])
    labelled = np.concatenate([c['keypoints_visible'] for c in cropped]) >= 0.5
    centers, scales = (
        np.broadcast_to(
            np.stack([c[key] for c in cropped])[:, None], keypoints.shape)
        for key in ('input_center', 'input_scale'))
    inside = (np.abs(keypoints - centers) < 0.5 * scales).all(axis=-1)
    counted = labelled & inside
    return Points(
        *(a[counted] for a in (keypoints, inputs, centers, scales)),
        input_size=tuple(input_size),
        outside=int((labelled & ~inside).sum()))
