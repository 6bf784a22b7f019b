"""Export a pose estimator as ONNX or TorchScript and check the file.

Letters: B batch, C channels, K keypoints, L tags, h x w image, H x W heatmap.
"""
import copy
import inspect
import json
import warnings
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterator,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np
import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmpose.apis import init_model
from mmpose.models import BottomupPoseEstimator, TopdownPoseEstimator
from mmpose.models.heads import AssociativeEmbeddingHead
from torch import Tensor, nn
from torch.testing import assert_close

from ..checkpoints import atomic_write, check_out, load_weights
from ..codecs import SRHeatmap
from ..configs import ConfigLike, init_scope, input_channels, load_config
from ..console import get_logger
from ..environment import is_installed
from ..version import __version__
from .complexity import forward_images, model_input_size
from .deployed import AXES, HOW_TO_USE, DeployedModel, describe

# Formats and the packages that they need.
FORMATS = dict(onnx=('onnx', 'onnxruntime'), torchscript=())
# The trace sees the first size; the second shows what the trace fixed.
BATCH_SIZES = (1, 3)
# Allowed difference of maps and scores as a part of the highest value, and of
# keypoints in input px.
RELATIVE_TOLERANCE = 1e-4
PIXEL_TOLERANCE = 1e-2
NOISE_DRAWS = 4


class ExportMismatch(RuntimeError):
    """Error for an exported file whose outputs differ from its model's."""


class ExportResult(NamedTuple):
    """Description of an exported file.

    Attributes:
        file: Path of the file.
        shapes: Shape of the images and of each output by name, without B.
        differences: Largest difference of each output from PyTorch: of
            keypoints in input px, of other outputs as a part of the highest
            value.
        compared: Number of compared keypoints and number of all keypoints;
            ``None`` if the file does not decode. Keypoints that noise moves
            are not compared.
    """
    file: Path
    shapes: Dict[str, Tuple[int, ...]]
    differences: Dict[str, float]
    compared: Optional[Tuple[int, int]]


def export_model(config: ConfigLike,
                 out: Union[str, Path],
                 checkpoint: Optional[Union[str, Path]] = None,
                 format: str = 'onnx',
                 input_size: Optional[Sequence[int]] = None,
                 decode: Optional[bool] = None,
                 normalize: bool = False,
                 opset: int = 17) -> ExportResult:
    """Write a pose estimator to a file and compare the file with the model.

    The file contains a :class:`DeployedModel`. Its input is ``inputs``,
    float32 in shape (B, C, h, w) with any B. Its outputs are float32:

        - ``keypoints`` (B, K, 2) in input px and ``scores`` (B, K) of a
          top-down model with decoding
        - ``heatmaps`` (B, K, H, W) of a top-down model without decoding
        - ``heatmaps`` (B, K, H, W) and ``tags`` (B, L, H, W) of a bottom-up
          model, to be grouped by associative embedding

    The outputs contain the keypoints of ``test_cfg.output_keypoint_indices``
    only. The metadata of an ONNX file, or the extra file ``metadata.json`` of
    TorchScript, says how to make the input and how to read the outputs. The
    file runs on the CPU with one and with three random images before it
    replaces ``out``.

    Args:
        config: Config, or an argument of
            :func:`srpose_mm.configs.locate_config`.
        out: File to write or replace.
        checkpoint: File or URL of the weights. If it is ``None``, the weights
            are random.
        format: ``'onnx'`` or ``'torchscript'``. ``torch.jit.load`` reads the
            latter without MMPose; it is frozen for the CPU.
        input_size: Image size (w, h) in px. If it is ``None``, the codec's.
        decode: Whether the file decodes keypoints, which only
            :class:`SRHeatmap` can. If it is ``None``, the file decodes if the
            codec is one for this input size.
        normalize: Whether the file applies the model's data preprocessor.
            Images are then as OpenCV reads them: BGR or gray, 0 to 255.
        opset: Version of the ONNX operators.

    Raises:
        ImportError: If onnx or onnxruntime is missing for an ONNX file.
        OSError: If a file cannot be read or written.
        ValueError: If the model does not predict heatmaps, the checkpoint
            does not fit, the codec cannot decode, the input size does not fit
            or torch cannot export a layer.
        ExportMismatch: If a keypoint differs by more than 0.01 px or another
            output by more than 1e-4 of its highest value.
    """
    if format not in FORMATS:
        raise ValueError(f'expected format to be one of {list(FORMATS)}, got '
                         f'{format!r}')
    for package in FORMATS[format]:
        if not is_installed(package):
            raise ImportError(f'expected {package} to be installed for the '
                              f'format {format}; pip install {package}')
    cfg, out = load_config(config), Path(out)
    check_out(out, *([] if checkpoint is None else [checkpoint]))
    size = model_input_size(cfg, input_size)
    with atomic_write(out) as path:
        model = _build_model(cfg, checkpoint)
        deployed = DeployedModel(model, _can_decode(model, size, decode),
                                 normalize).eval()
        shape = input_channels(cfg), *size[::-1]
        expected = [_expect(model, deployed, (b, *shape)) for b in BATCH_SIZES]
        shapes = {
            name: tuple(tensor.shape) for name, tensor in dict(
                inputs=expected[0].images, **expected[0].outputs).items()
        }
        facts = describe(cfg, deployed, model.dataset_meta, shapes)
        with torch.no_grad(), warnings.catch_warnings():
            # A trace warns about every comparison of sizes. The second batch
            # size shows whether one mattered.
            warnings.simplefilter('ignore', torch.jit.TracerWarning)
            warnings.simplefilter('ignore', DeprecationWarning)
            if format == 'onnx':
                _write_onnx(deployed, expected[0], path, facts, opset)
            else:
                _write_torchscript(deployed, expected[0], path, facts)
            found = [_compare(path, format, one) for one in expected]
    compared = None
    if deployed.decode:
        steady = torch.cat([one.steady for one in expected])
        compared = int(steady.sum()), steady.numel()
    return ExportResult(
        file=out,
        shapes={name: shape[1:] for name, shape in shapes.items()},
        differences={name: max(f[name] for f in found) for name in found[0]},
        compared=compared)


class _Expected(NamedTuple):
    """Outputs of MMPose for random images.

    ``steady`` is the mask (B, K) of the keypoints that noise of 1e-4 of the
    highest value does not move by 0.01 px, or ``None`` without keypoints.
    """
    images: Tensor
    outputs: Dict[str, Tensor]
    steady: Optional[Tensor]


def _build_model(cfg: Config,
                 checkpoint: Optional[Union[str, Path]]) -> nn.Module:
    """Return a top-down or bottom-up model on the CPU."""
    init_scope(cfg)
    # A copy because MMPose removes settings. It downloads no weights.
    model = init_model(copy.deepcopy(cfg), device='cpu').requires_grad_(False)
    if not isinstance(model, (TopdownPoseEstimator, BottomupPoseEstimator)):
        raise ValueError(
            'expected a TopdownPoseEstimator or BottomupPoseEstimator, got '
            f'{type(model).__name__}; use the config of such a model')
    if checkpoint is None:
        get_logger().warning('no checkpoint is given, the weights are random')
        return model
    meta = load_weights(model, checkpoint).get('meta') or {}
    model.dataset_meta = meta.get('dataset_meta') or model.dataset_meta
    return model


def _can_decode(model: nn.Module, input_size: Tuple[int, int],
                wanted: Optional[bool]) -> bool:
    """Return True if the file decodes keypoints."""
    codec = model.head.decoder
    possible = isinstance(codec, SRHeatmap) and tuple(
        codec.input_size) == input_size
    if wanted and not possible:
        raise ValueError(
            'expected an SRHeatmap for inputs of {}x{} to decode with, got '
            '{} for {}; export without decode'.format(
                *input_size,
                type(codec).__name__, getattr(codec, 'input_size', None)))
    return possible if wanted is None else wanted


@torch.no_grad()
def _expect(model: nn.Module, deployed: DeployedModel,
            shape: Tuple[int, ...]) -> _Expected:
    """Run MMPose's model on random images, which depend on the shape only."""
    generator = torch.Generator().manual_seed(shape[0])
    if deployed.normalize:
        images = 255 * torch.rand(shape, generator=generator)
        inputs = model.data_preprocessor(
            dict(inputs=list(images), data_samples=[]))['inputs']
    else:
        images = inputs = torch.randn(shape, generator=generator)
    outputs = _named_maps(model, forward_images(model, inputs))
    steady = None
    if deployed.decode:
        heatmaps = outputs['heatmaps']
        keypoints, scores = _decode(model, heatmaps)
        outputs = dict(keypoints=keypoints, scores=scores)
        steady = torch.ones_like(scores, dtype=torch.bool)
        for noise in _noise(heatmaps, generator):
            moved = _decode(model, heatmaps + noise)[0] - keypoints
            steady &= moved.abs().amax(dim=-1) < PIXEL_TOLERANCE
    if deployed.keypoint_indices is not None:
        selected = torch.tensor(deployed.keypoint_indices)
        outputs = {key: out[:, selected] for key, out in outputs.items()}
        steady = None if steady is None else steady[:, selected]
    return _Expected(images, outputs, steady)


def _named_maps(model: nn.Module, outputs: Any) -> Dict[str, Tensor]:
    """Return the outputs of a head by name."""
    names = ['heatmaps']
    if isinstance(model.head, AssociativeEmbeddingHead):
        names.append('tags')
    maps = [outputs] if isinstance(outputs, Tensor) else list(outputs)
    if len(maps) != len(names) or any(
            not isinstance(m, Tensor) or m.ndim != 4 for m in maps):
        raise ValueError(
            'expected a head that predicts heatmaps in shape (B, K, H, W), '
            f'got {type(model.head).__name__}; use a model with such a head')
    if not all(m.isfinite().all() for m in maps):
        raise ValueError('expected finite heatmaps of random images, got inf '
                         'or NaN; check the weights')
    return dict(zip(names, maps))


def _decode(model: nn.Module, heatmaps: Tensor) -> Tuple[Tensor, Tensor]:
    """Return keypoints (B, K, 2) and scores (B, K) as MMPose decodes them."""
    instances = model.head.decode(heatmaps)
    keypoints = np.concatenate([i.keypoints for i in instances])
    scores = np.concatenate([i.keypoint_scores for i in instances])
    return torch.from_numpy(keypoints), torch.from_numpy(scores)


def _noise(heatmaps: Tensor, generator: torch.Generator) -> Iterator[Tensor]:
    """Yield noise of 1e-4 of the highest value of each heatmap."""
    scale = RELATIVE_TOLERANCE * heatmaps.abs().amax((-2, -1), keepdim=True)
    size_hw = heatmaps.shape[-2:]
    coarse = *heatmaps.shape[:2], *(size // 8 + 1 for size in size_hw)
    for _ in range(NOISE_DRAWS):
        fine = torch.randn(heatmaps.shape, generator=generator)
        # Smooth noise as well: a blur before the refinement removes the fine.
        smooth = F.interpolate(
            torch.randn(coarse, generator=generator), size_hw, mode='bilinear')
        yield scale * (fine + smooth)


def _write_onnx(deployed: DeployedModel, expected: _Expected, path: Path,
                facts: Dict[str, Any], opset: int) -> None:
    """Write an ONNX file with its metadata."""
    import onnx
    options = dict(input_names=['inputs'], output_names=list(expected.outputs))
    axes = {name: {0: 'batch'} for names in options.values() for name in names}
    # torch >= 2.9 defaults to an exporter that needs onnxscript.
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        options['dynamo'] = False
    # ONNX has no memory formats: channels-last weights would be transposed.
    deployed = deployed.to(memory_format=torch.contiguous_format)
    try:
        torch.onnx.export(
            deployed, (expected.images, ),
            str(path),
            opset_version=opset,
            dynamic_axes=axes,
            **options)
    except (RuntimeError, ValueError) as err:
        raise ValueError(f'cannot export with opset {opset}: {err}; try '
                         'another opset') from err
    model = onnx.load(str(path))
    model.producer_name, model.producer_version = 'srpose_mm', __version__
    model.doc_string = HOW_TO_USE
    for value in (*model.graph.input, *model.graph.output):
        value.doc_string = f'({", ".join(AXES[value.name])})'
    onnx.helper.set_model_props(
        model, {key: json.dumps(value) for key, value in facts.items()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _write_torchscript(deployed: DeployedModel, expected: _Expected,
                       path: Path, facts: Dict[str, Any]) -> None:
    """Write a TorchScript file with its metadata."""
    # torch's own check would run the model on the traced batch only.
    traced = torch.jit.trace(deployed, expected.images, check_trace=False)
    text = json.dumps(dict(how_to_use=HOW_TO_USE, **facts))
    torch.jit.save(
        torch.jit.freeze(traced),
        str(path),
        _extra_files={'metadata.json': text})


def _run(path: Path, format: str, images: Tensor) -> Sequence[Tensor]:
    """Return the outputs of an exported file."""
    if format == 'onnx':
        import onnxruntime
        session = onnxruntime.InferenceSession(
            str(path), providers=['CPUExecutionProvider'])
        outputs = session.run(None, dict(inputs=images.numpy()))
        return [torch.from_numpy(output) for output in outputs]
    outputs = torch.jit.load(str(path))(images)
    return outputs if isinstance(outputs, tuple) else (outputs, )


def _compare(path: Path, format: str, expected: _Expected) -> Dict[str, float]:
    """Run a file and return the largest difference of each output.

    Raises:
        ExportMismatch: If the file fails or an output differs.
    """
    batch = f'with a batch of {len(expected.images)}'
    try:
        outputs = _run(path, format, expected.images)
    # Runtimes raise errors of their own, some of which are plain exceptions.
    except Exception as err:
        raise ExportMismatch('expected a file that runs with any batch size, '
                             f'got an error {batch}: {str(err)[-300:]}; no '
                             'file is written') from err
    found = {}
    for (name, want), got in zip(expected.outputs.items(), outputs):
        scale = max(want.abs().max().item(), 1e-30)
        limit = RELATIVE_TOLERANCE * scale
        if name == 'keypoints':
            scale, limit = 1., PIXEL_TOLERANCE
            want, got = want[expected.steady], got[expected.steady]
        try:
            assert_close(got, want, rtol=0, atol=limit)
        except AssertionError as err:
            reason = ' '.join(str(err).split())
            raise ExportMismatch(f'expected the {name} of PyTorch {batch}, '
                                 f'got others: {reason}; no file is '
                                 'written') from err
        error = (got - want).abs() / scale
        found[name] = error.max().item() if error.numel() else 0.
    return found
