from pathlib import Path
from typing import Optional, Sequence, Union

import torch
from torch import nn

from ..configs import ConfigLike
from ..deploy import Exported
from .reference import Expected
from .write_file import Runner, write_file

OWNER = 'export_torchscript'


def export_torchscript(config: ConfigLike,
                       out: Union[str, Path],
                       checkpoint: Optional[Union[str, Path]] = None,
                       input_size: Optional[Sequence[int]] = None,
                       decode: Optional[bool] = None,
                       normalize: bool = False) -> Exported:
    """Write a model as TorchScript and compare the file with the model.

    ``torch.jit.load`` reads the file without this package or MMPose. It is
    traced and frozen on the CPU and runs there. Its outputs are a tensor or a
    tuple of two, as :func:`export_onnx` lists them.

    Args:
        config, out, checkpoint, input_size, decode, normalize: As for
            :func:`export_onnx`.

    Returns:
        What was written and how it compares.

    Raises:
        FileNotFoundError, ValueError, ExportMismatch: As :func:`export_onnx`.
    """
    return write_file(OWNER, 'TorchScript', _write, config, out, checkpoint,
                      input_size, decode, normalize)


def _write(deployed: nn.Module, expected: Expected, path: Path) -> Runner:
    """Write a TorchScript file and give what runs it."""
    # torch's own check would run the model on the batch that it traced.
    traced = torch.jit.trace(deployed, expected.inputs, check_trace=False)
    torch.jit.freeze(traced).save(str(path))
    loaded = torch.jit.load(str(path))

    def run(inputs):
        with torch.no_grad():
            outputs = loaded(inputs)
        return outputs if isinstance(outputs, tuple) else (outputs, )

    return run
