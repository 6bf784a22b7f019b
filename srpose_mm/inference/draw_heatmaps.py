from typing import Dict, List, NamedTuple, Optional, Sequence, Union

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from mmengine.dataset import Compose, pseudo_collate
from mmpose.models.heads import AssociativeEmbeddingHead
from torch import Tensor, nn

ALL = 'all'


class Views(NamedTuple):
    """What there is to draw of one input.

    Attributes:
        image: The input in shape (h, w, 3), within [0, 1].
        maps: Name to maps in shape (K, H, W), coarse to fine; of ``tags``
            there may be one for all keypoints.
        keypoints: Decoded keypoints in shape (N, K, 2), in input px.
        scores: Their scores in shape (N, K).
    """

    image: np.ndarray
    maps: Dict[str, Tensor]
    keypoints: np.ndarray
    scores: np.ndarray


def draw_heatmaps(
        model: nn.Module,
        path: str,
        box: Optional[np.ndarray] = None,
        keypoints: Optional[Sequence[Union[int, str]]] = None) -> Figure:
    """Draw an input beside its heatmaps, coarse to fine.

    Args:
        model: A model of :func:`mmpose.apis.init_model`: top-down with
            heatmaps, or bottom-up with associative embedding.
        path: The image.
        box: The person's box, xyxy in px of the image; not for bottom-up
            models.
        keypoints: Names or numbers of keypoints, or ``['all']``. ``None``
            draws the highest value over all keypoints.

    Returns:
        The figure: the input, each map and the decoded keypoints over the
        input, in a row for each keypoint. Bottom-up models have a map of tags
        as well, without ``keypoints`` that of the first.

    Raises:
        TypeError: If the model's head predicts no heatmaps.
        ValueError: If there is no such keypoint.
    """
    names = keypoint_names(model)
    rows = [None] if keypoints is None else select_keypoints(keypoints, names)
    views = _views(model, path, box)
    columns = len(views.maps) + 2
    # In inches: one row stands alone, many have to fit on a page.
    height = 3.2 if len(rows) == 1 else 2
    width = height * views.image.shape[1] / views.image.shape[0]
    figure = Figure(
        figsize=(width * columns, height * len(rows) + 0.4), layout='tight')
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for row, keypoint in zip(axes, rows):
        _draw_row(row, views, keypoint, names)
    for ax, title in zip(axes[0], _titles(views, rows[0], names)):
        ax.set_title(title, fontsize=None if len(rows) == 1 else 8)
    return figure


def named_heatmaps(model: nn.Module, inputs: Tensor) -> Dict[str, Tensor]:
    """All heatmaps of a top-down model, coarse to fine.

    Args:
        model: The model.
        inputs: Normalised images in shape (B, 3, h, w).

    Returns:
        Name to heatmaps in shape (B, K, H, W); the last is what is decoded.

    Raises:
        TypeError: If the head predicts no heatmaps.
    """
    feats = model.extract_feat(inputs)
    if not hasattr(model.head, 'forward_levels'):
        heatmaps = model.head(feats)
        if not isinstance(heatmaps, Tensor) or heatmaps.ndim != 4:
            raise TypeError(
                'visualize: expected a head that predicts heatmaps in shape '
                f'(B, K, H, W), got {type(model.head).__name__}')
        return dict(HR=heatmaps)
    low, *levels = model.head.forward_levels(feats)
    names = [f'level {i}' for i in range(len(levels) - 1)]
    return dict(zip(['LR', *names, 'HR'], [low, *levels]))


def keypoint_names(model: nn.Module) -> List[str]:
    """The names of a model's keypoints, in order."""
    names = model.dataset_meta['keypoint_id2name']
    return [names[number] for number in sorted(names)]


def select_keypoints(keypoints: Sequence[Union[int, str]],
                     names: Sequence[str]) -> List[int]:
    """Find keypoints by name or number.

    Args:
        keypoints: Names or numbers, or ``['all']``.
        names: The names of all.

    Returns:
        Their numbers.

    Raises:
        ValueError: If there is no such keypoint.
    """
    if list(keypoints) == [ALL]:
        return list(range(len(names)))
    numbers = {str(number): number for number in range(len(names))}
    numbers.update(zip(names, range(len(names))))
    unknown = [k for k in keypoints if str(k) not in numbers]
    if unknown or not keypoints:
        raise ValueError(
            f'visualize: expected keypoints to be {ALL!r}, numbers from 0 to '
            f'{len(names) - 1} or some of {", ".join(names)}; got '
            f'{unknown or "none"}')
    return [numbers[str(k)] for k in keypoints]


def _views(model: nn.Module, path: str, box: Optional[np.ndarray]) -> Views:
    """Run a model on an image, or on a box in it."""
    pipeline = Compose(model.cfg.test_dataloader.dataset.pipeline)
    data = dict(img_path=path, **model.dataset_meta)
    if box is not None:
        data.update(
            bbox=box[None], bbox_score=np.ones(1, dtype=np.float32))
    batch = model.data_preprocessor(pseudo_collate([pipeline(data)]))
    with torch.no_grad():
        if isinstance(model.head, AssociativeEmbeddingHead):
            outputs = model.head(model.extract_feat(batch['inputs']))
            maps = dict(zip(('heatmaps', 'tags'), outputs))
        else:
            maps = named_heatmaps(model, batch['inputs'])
            outputs = list(maps.values())[-1]
        people = model.head.decode(outputs)[0]
    return Views(
        image=_to_image(batch['inputs'][0]),
        maps={name: m[0].float().cpu()
              for name, m in maps.items()},
        keypoints=people.keypoints,
        scores=people.keypoint_scores)


def _draw_row(axes: Sequence[Axes], views: Views, keypoint: Optional[int],
              names: Sequence[str]) -> None:
    """Draw all views of one keypoint, or of all where it is ``None``."""
    axes[0].imshow(views.image)
    for ax, (name, maps) in zip(axes[1:], views.maps.items()):
        if name == 'tags':
            shown = maps[(keypoint or 0) % len(maps)]
        else:
            shown = maps.amax(dim=0) if keypoint is None else maps[keypoint]
        ax.imshow(
            shown,
            cmap='viridis' if name == 'tags' else 'magma',
            interpolation='nearest')
    axes[-1].imshow(views.image)
    chosen = slice(None) if keypoint is None else [keypoint]
    for number, person in enumerate(views.keypoints):
        axes[-1].scatter(
            *person[chosen].T,
            s=12,
            color='lime' if len(views.keypoints) == 1 else f'C{number}',
            edgecolors='black',
            linewidths=0.6)
    # Keypoints outside the input do not shrink it.
    axes[-1].set_xlim(axes[0].get_xlim())
    axes[-1].set_ylim(axes[0].get_ylim())
    for ax in axes:
        ax.set_axis_off()
    if keypoint is not None:
        label = names[keypoint]
        if len(views.scores) == 1:
            label += f'\n{views.scores[0, keypoint]:.2f}'
        axes[0].text(
            -0.06,
            0.5,
            label,
            transform=axes[0].transAxes,
            rotation=90,
            ha='right',
            va='center',
            fontsize=9)


def _titles(views: Views, keypoint: Optional[int],
            names: Sequence[str]) -> List[str]:
    """What stands above the first row."""
    height, width = views.image.shape[:2]
    titles = [f'input {width}x{height}']
    for name, maps in views.maps.items():
        if name == 'tags' and keypoint is None and len(maps) > 1:
            name = f'tags of {names[0]}'
        titles.append(f'{name} {maps.shape[2]}x{maps.shape[1]}')
    people = len(views.keypoints)
    return [*titles, 'keypoints' if people == 1 else f'{people} people']


def _to_image(tensor: Tensor) -> np.ndarray:
    """A normalised (3, H, W) tensor to an image (H, W, 3) within [0, 1]."""
    low, high = tensor.min(), tensor.max()
    scale = (high - low).clamp_min(1e-6)
    return ((tensor - low) / scale).permute(1, 2, 0).cpu().numpy()
