"""Export a pose estimator as ONNX or TorchScript and check the file.

Letters: B batch, C channels, K keypoints, L tags, h x w image, H x W heatmap.
"""
import copy
import inspect
import json
import warnings
from pathlib import Path
from typing import Any, Dict, Iterable, Iterator, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from mmengine.config import Config
from mmengine.model import ImgDataPreprocessor
from mmpose.apis import init_model
from mmpose.models import BottomupPoseEstimator, TopdownPoseEstimator
from mmpose.models.heads import AssociativeEmbeddingHead
from torch import Tensor, nn
from torch.testing import assert_close

from ..checkpoints import atomic_write, check_out, load_weights
from ..checkpoints.reading import Location
from ..codecs import SRHeatmap
from ..configs import ConfigLike, init_scope, input_channels, load_config
from ..console import get_logger
from ..environment import is_installed
from ..models.heads.base_sr_head import BaseSRHead
from ..version import __version__
from .complexity import forward_images, model_input_size
from .fuse import fuse_for_inference
from .metadata import HOW_TO_USE, describe

# Formats and the packages that they need.
FORMATS = dict(onnx=('onnx', 'onnxruntime'), torchscript=())
# A trace records one image; another batch size shows what the trace fixed.
BATCH_SIZE = 3
# Allowed difference of maps and scores as a part of the highest value, and of
# keypoints in input px.
RELATIVE_TOLERANCE = 1e-4
PIXEL_TOLERANCE = 1e-2
NOISE_DRAWS = 4
IMAGE_DRAWS = 10


class ExportMismatch(RuntimeError):
    """Error for an exported file whose outputs differ from its model's."""


class ExportResult(NamedTuple):
    """Exported file that passed the comparison with its model.

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


class DeployedModel(nn.Module):
    """Pose estimator from images to the outputs of a file.

    The input is ``inputs``, float32 in shape (B, C, h, w) with any B. The
    outputs are float32, of ``test_cfg.output_keypoint_indices`` only:

    - ``keypoints`` (B, K, 2) in input px and ``scores`` (B, K) of a top-down
      model with decoding. The heatmaps of an SR head are not made, see
      :meth:`BaseSRHead.predict_peaks`, unless ``test_cfg`` has
      ``peaks_only=False``.
    - ``heatmaps`` (B, K, H, W) of a top-down model without decoding.
    - ``heatmaps`` (B, K, H, W) and ``tags`` (B, L, H, W) of a bottom-up
      model, to be grouped by associative embedding.

    Args:
        model: Pose estimator of MMPose.
        decode: Whether the head's codec decodes the keypoints.
        normalize: Whether the model's data preprocessor is included.
    """

    def __init__(self, model: nn.Module, decode: bool, normalize: bool):
        super().__init__()
        self.model, self.decode, self.normalize = model, decode, normalize
        test_cfg = model.test_cfg or {}
        self.peaks_only = (
            decode and isinstance(model.head, BaseSRHead)
            and test_cfg.get('peaks_only', True))
        self.keypoint_indices = None
        # As in MMPose: for top-down models with one map per keypoint.
        codec = getattr(model.head, 'decoder', None)
        if (isinstance(model, TopdownPoseEstimator)
                and getattr(codec, 'heatmap_type', None) != 'combined'):
            self.keypoint_indices = test_cfg.get('output_keypoint_indices')

    def forward(self, images: Tensor) -> Tuple[Tensor, ...]:
        """Return the outputs for float32 images in shape (B, C, h, w)."""
        return self.predict(self.model.extract_feat(self.preprocess(images)))

    def preprocess(self, images: Tensor) -> Tensor:
        """Return the normalized images."""
        if not self.normalize:
            return images
        # PoseDataPreprocessor counts images in Python, which a trace cannot
        # record.
        return ImgDataPreprocessor.forward(self.model.data_preprocessor,
                                           dict(inputs=images))['inputs']

    def predict(self, feats: Tuple[Tensor, ...]) -> Tuple[Tensor, ...]:
        """Return the outputs for the features of the head."""
        head = self.model.head
        outputs = head.predict_peaks(feats) if self.peaks_only else head(feats)
        if self.decode:
            outputs = head.decoder.decode_tensor(outputs)
        outputs = [outputs] if isinstance(outputs, Tensor) else outputs
        if self.keypoint_indices is not None:
            outputs = [output[:, self.keypoint_indices] for output in outputs]
        return tuple(outputs)


def export_model(config: ConfigLike,
                 out: Location,
                 checkpoint: Optional[Location] = None,
                 format: str = 'onnx',
                 input_size: Optional[Tuple[int, int]] = None,
                 decode: Optional[bool] = None,
                 normalize: bool = False,
                 opset: int = 17) -> ExportResult:
    """Write a pose estimator to a file and compare the file with the model.

    The file contains a :class:`DeployedModel`. The metadata of an ONNX file,
    or the extra file ``metadata.json`` of TorchScript, says how to make the
    input and how to read the outputs. The file runs on the CPU with random
    images before it replaces ``out``.

    Args:
        config: Config, or an argument of
            :func:`srpose_mm.configs.locate_config`.
        out: File to write or replace.
        checkpoint: File or URL of the weights. If it is ``None``, the weights
            are random.
        format: ``'onnx'`` or ``'torchscript'``. ``torch.jit.load`` reads the
            latter without MMPose, and it returns a tuple; it is frozen for
            the CPU.
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
            does not fit, the codec cannot decode, the input size does not
            fit, torch cannot export a layer, or no peak is clear enough to be
            compared.
        ExportMismatch: If a keypoint differs by more than 0.01 px or another
            output by more than 1e-4 of its highest value.
    """
    _check_format(format)
    cfg, out = load_config(config), Path(out)
    size = model_input_size(cfg, input_size)
    check_out(out, *([] if checkpoint is None else [checkpoint]))
    model = _build_model(cfg, checkpoint)
    if decode is not False:
        decode = _can_decode(getattr(model.head, 'decoder', None), size,
                             bool(decode))
    reference = DeployedModel(model, decode, normalize)
    images, expected, steady = _draw_images(
        reference, (BATCH_SIZE, input_channels(cfg), *size[::-1]))
    shapes = {name: tuple(tensor.shape[1:])
              for name, tensor in dict(inputs=images, **expected).items()}
    facts = describe(cfg, model, shapes, normalize,
                     reference.keypoint_indices)
    deployed = DeployedModel(fuse_for_inference(model), decode, normalize)
    deployed.eval()
    with atomic_write(out) as path, torch.no_grad(), \
            warnings.catch_warnings():
        # The tracer warns of every comparison of sizes and every constant.
        warnings.simplefilter('ignore')
        if format == 'onnx':
            _write_onnx(deployed, images[:1], path, shapes, facts, opset)
        else:
            # torch's own check would run the model on the traced image only.
            traced = torch.jit.trace(deployed, images[:1], check_trace=False)
            torch.jit.save(
                torch.jit.freeze(traced),
                str(path),
                _extra_files={'metadata.json': json.dumps(facts)})
        differences = _compare(expected, _run(path, format, images), steady)
    compared = (int(steady.sum()), steady.numel()) if decode else None
    return ExportResult(out, shapes, differences, compared)


def _check_format(format: str) -> None:
    """Check that a format is known and its packages are installed."""
    if format not in FORMATS:
        raise ValueError(f'expected format to be one of {list(FORMATS)}, got '
                         f'{format!r}')
    for package in FORMATS[format]:
        if not is_installed(package):
            raise ImportError(f'expected {package} to be installed for the '
                              f'format {format}; pip install {package}')


def _build_model(cfg: Config, checkpoint: Optional[Location]) -> nn.Module:
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


def _can_decode(codec: Any, size: Tuple[int, int], required: bool) -> bool:
    """Return True if a codec can decode within the file."""
    codec_size = getattr(codec, 'input_size', None)
    can_decode = isinstance(codec, SRHeatmap) and tuple(codec_size) == size
    if required and not can_decode:
        raise ValueError(
            f'expected an SRHeatmap for {size[0]}x{size[1]} as the decoder, '
            f'got {type(codec).__name__} for {codec_size}; export without '
            'decode')
    return can_decode


def _draw_images(
    reference: DeployedModel, shape: Tuple[int, ...]
) -> Tuple[Tensor, Dict[str, Tensor], Optional[Tensor]]:
    """Return random images and what :func:`_expect` returns for them.

    Images are drawn until a keypoint of them is steady.
    """
    for seed in range(IMAGE_DRAWS):
        images = torch.rand(
            shape, generator=torch.Generator().manual_seed(seed))
        images = 255 * images if reference.normalize else 4 * images - 2
        expected, steady = _expect(reference, images)
        if steady is None or steady.any():
            return images, expected, steady
    raise ValueError(
        f'expected a clear peak in {IMAGE_DRAWS} batches of random images, '
        'got none, so that the file could not be compared with the model; '
        'export without decode')


@torch.no_grad()
def _expect(reference: DeployedModel,
            images: Tensor) -> Tuple[Dict[str, Tensor], Optional[Tensor]]:
    """Return the outputs by name and the mask of steady keypoints.

    The mask (B, K) is True for keypoints that noise of 1e-4 of the features'
    highest value does not move by 0.01 px. It is ``None`` without keypoints.
    """
    model = reference.model
    feats = forward_images(model.extract_feat, reference.preprocess(images),
                           type(model.backbone).__name__)
    names = _name_maps(model.head, feats, reference.decode)
    outputs = reference.predict(feats)
    if not reference.decode:
        return dict(zip(names, outputs)), None
    keypoints, scores = outputs
    steady = torch.ones_like(scores, dtype=torch.bool)
    for noise in _noise(feats[-1]):
        moved = reference.predict((*feats[:-1], feats[-1] + noise))[0]
        steady &= (moved - keypoints).abs().amax(dim=-1) < PIXEL_TOLERANCE
    return dict(keypoints=keypoints, scores=scores), steady


def _name_maps(head: nn.Module, feats: Tuple[Tensor, ...],
               decode: bool) -> Tuple[str, ...]:
    """Check that a head predicts heatmaps, and return its outputs' names."""
    names = ('heatmaps', )
    if isinstance(head, AssociativeEmbeddingHead):
        names = ('heatmaps', 'tags')
    other_head = ValueError(
        'expected a head that predicts heatmaps in shape (B, K, H, W), '
        f'got {type(head).__name__}; use a model with such a head')
    try:
        maps = head(feats)
    except (IndexError, TypeError) as err:  # some need more than the features
        raise other_head from err
    maps = [maps] if isinstance(maps, Tensor) else list(maps)
    if len(maps) != len(names) or any(
            not isinstance(m, Tensor) or m.ndim != 4 for m in maps):
        raise other_head
    if not all(m.isfinite().all() for m in maps):
        raise ValueError('expected finite heatmaps of random images, got inf '
                         'or NaN; check the weights')
    size = tuple(maps[0].shape[:1:-1])
    if decode and size != tuple(head.decoder.heatmap_size):
        raise ValueError(
            'expected heatmaps of the codec\'s size (W, H) '
            f'{tuple(head.decoder.heatmap_size)}, got {size} from '
            f'{type(head).__name__}; correct its factors or the codec')
    return names


def _noise(feats: Tensor) -> Iterator[Tensor]:
    """Yield noise of 1e-4 of the highest value of each channel."""
    generator = torch.Generator().manual_seed(0)
    scale = RELATIVE_TOLERANCE * feats.abs().amax((-2, -1), keepdim=True)
    size_hw = feats.shape[-2:]
    coarse = *feats.shape[:2], *(size // 8 + 1 for size in size_hw)
    for _ in range(NOISE_DRAWS):
        fine = torch.randn(feats.shape, generator=generator)
        # Smooth noise too: a blur before the refinement removes fine noise.
        smooth = F.interpolate(
            torch.randn(coarse, generator=generator), size_hw, mode='bilinear')
        yield scale * (fine + smooth)


def _write_onnx(deployed: DeployedModel, image: Tensor, path: Path,
                names: Iterable[str], facts: Dict[str, Any],
                opset: int) -> None:
    """Write an ONNX file with metadata, for ``names`` of input and outputs."""
    import onnx
    # torch >= 2.9 defaults to an exporter that needs onnxscript.
    parameters = inspect.signature(torch.onnx.export).parameters
    options = dict(dynamo=False) if 'dynamo' in parameters else {}
    inputs, *outputs = names
    try:
        torch.onnx.export(
            # ONNX has no memory formats: weights in channels-last would be
            # transposed.
            deployed.to(memory_format=torch.contiguous_format),
            (image, ),
            str(path),
            input_names=[inputs],
            output_names=outputs,
            dynamic_axes={name: {0: 'batch'} for name in names},
            opset_version=opset,
            **options)
    except (RuntimeError, ValueError) as err:
        raise ValueError(f'cannot export with opset {opset}: {err}; try '
                         'another opset') from err
    model = onnx.load(str(path))
    model.producer_name, model.producer_version = 'srpose_mm', __version__
    model.doc_string = HOW_TO_USE
    onnx.helper.set_model_props(
        model, {key: json.dumps(value) for key, value in facts.items()})
    onnx.checker.check_model(model)
    onnx.save(model, str(path))


def _run(path: Path, format: str, images: Tensor) -> Tuple[Tensor, ...]:
    """Return the outputs of an exported file, which must run."""
    try:
        if format == 'torchscript':
            return torch.jit.load(str(path))(images)
        import onnxruntime
        session = onnxruntime.InferenceSession(
            str(path), providers=['CPUExecutionProvider'])
        outputs = session.run(None, dict(inputs=images.numpy()))
        return tuple(torch.from_numpy(output) for output in outputs)
    # Runtimes raise errors of their own, some of which are plain exceptions.
    except Exception as err:
        raise ExportMismatch(
            'expected a file that runs with any batch size, got an error with '
            f'{len(images)} images: {str(err)[-300:]}; no file is written'
        ) from err


def _compare(expected: Dict[str, Tensor], outputs: Tuple[Tensor, ...],
             steady: Optional[Tensor]) -> Dict[str, float]:
    """Return the largest difference of each output, or raise."""
    differences = {}
    for (name, want), got in zip(expected.items(), outputs):
        is_keypoints = name == 'keypoints'
        scale = 1. if is_keypoints else max(want.abs().max().item(), 1e-30)
        limit = PIXEL_TOLERANCE if is_keypoints else RELATIVE_TOLERANCE
        if steady is not None:
            want, got = want[steady], got[steady]
        try:
            assert_close(got, want, rtol=0, atol=limit * scale)
        except AssertionError as err:
            raise ExportMismatch(
                f'expected the {name} of PyTorch, got others: '
                f'{" ".join(str(err).split())}; no file is written') from err
        error = (got - want).abs() / scale
        differences[name] = error.max().item() if error.numel() else 0.
    return differences
