import inspect
from pathlib import Path
from typing import Optional, Sequence, Union

import torch
from torch import nn

from ..configs import ConfigLike
from ..deploy import Exported
from .reference import Expected
from .write_file import Runner, write_file

OWNER = 'export_onnx'


def export_onnx(config: ConfigLike,
                out: Union[str, Path],
                checkpoint: Optional[Union[str, Path]] = None,
                input_size: Optional[Sequence[int]] = None,
                decode: Optional[bool] = None,
                normalize: bool = False,
                opset: int = 17) -> Exported:
    """Write a model as an ONNX file and compare the file with the model.

    The file holds the network as it is deployed: normalisations folded into
    convolutions, blocks that only training needs left out. Its input is
    ``inputs``, float32 in shape (B, 3, h, w) with any B. Its outputs are
    float32:

        - of a top-down model ``keypoints`` (B, K, 2), in input px, and
          ``scores`` (B, K); without decoding ``heatmaps`` (B, K, H, W)
        - of a bottom-up model ``heatmaps`` (B, K, H, W) and ``tags``
          (B, L, H, W), which associative embedding groups into people

    Before the file gets its name, onnxruntime runs it on the CPU on random
    images, one and three at once, and MMPose runs the model on them.

    Args:
        config: A config, its file, or a name such as ``'mmpose::body_2d_...'``
            for one that an installed package brings; of this package and
            MMPose the bare name is enough.
        out: File to write or replace.
        checkpoint: Its weights, of which only tensors and plain values are
            read. ``None`` takes random ones.
        input_size: (w, h) of the images, in px; ``None`` takes that of the
            head's codec.
        decode: Whether the file decodes keypoints as the codec does, with its
            refinement. Only :class:`SRHeatmap` can; ``None`` means where it
            is the codec and has this input size.
        normalize: Whether the file takes images as OpenCV reads them, BGR
            from 0 to 255, and does what the model's data preprocessor does.
            Otherwise it takes what that gives.
        opset: Version of the ONNX operators.

    Returns:
        What was written and how it compares.

    Raises:
        ImportError: If onnx or onnxruntime is not installed.
        FileNotFoundError: If a file or the folder of ``out`` is not there.
        ValueError: If the model is not one of heatmaps, the checkpoint is not
            the model's, the codec cannot decode, or torch has no such opset
            or no operator of it for some layer.
        ExportMismatch: If keypoints differ by more than 0.01 px, or anything
            else by more than 1e-4 of the highest value. Keypoints whose place
            in PyTorch hangs on the last digits of the heatmaps are left out.
    """
    try:
        import onnx  # noqa: F401
        import onnxruntime  # noqa: F401
    except ImportError as err:
        raise ImportError(
            f'{OWNER}: expected onnx and onnxruntime to be installed, got '
            f'"{err}"; pip install onnx onnxruntime "numpy<2"') from err

    def write(deployed: nn.Module, expected: Expected, path: Path) -> Runner:
        return _write(deployed, expected, path, opset)

    return write_file(OWNER, 'onnxruntime', write, config, out, checkpoint,
                      input_size, decode, normalize)


def _write(deployed: nn.Module, expected: Expected, path: Path,
           opset: int) -> Runner:
    """Write an ONNX file and give what runs it."""
    import onnx
    names = dict(input_names=['inputs'], output_names=list(expected.outputs))
    axes = {name: {0: 'batch'} for value in names.values() for name in value}
    # The exporter by traces: the newer one, which torch takes by default from
    # 2.9 on, needs onnxscript.
    options = {}
    if 'dynamo' in inspect.signature(torch.onnx.export).parameters:
        options['dynamo'] = False
    try:
        torch.onnx.export(
            # ONNX has no memory layouts: those of this one would become
            # transpositions.
            deployed.to(memory_format=torch.contiguous_format),
            (expected.inputs, ),
            str(path),
            opset_version=opset,
            dynamic_axes=axes,
            **names,
            **options)
    except (RuntimeError, ValueError) as err:
        raise ValueError(f'{OWNER}: cannot export with opset {opset}: {err}; '
                         'try another opset') from err
    onnx.checker.check_model(str(path))
    return _runner(path)


def _runner(path: Path) -> Runner:
    import onnxruntime
    session = onnxruntime.InferenceSession(
        str(path), providers=['CPUExecutionProvider'])

    def run(inputs):
        outputs = session.run(None, dict(inputs=inputs.numpy()))
        return [torch.from_numpy(output) for output in outputs]

    return run
