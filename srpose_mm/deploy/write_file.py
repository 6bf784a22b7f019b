import warnings
from pathlib import Path
from typing import Callable, Optional, Sequence, Union

import torch
from mmengine.logging import MMLogger
from torch import Tensor, nn

from lab.benchmark.timing import time_interleaved

from ..checkpoints.replacing import replacing
from ..checkpoints.safe_checkpoint import check_input, check_out
from ..configs import ConfigLike, load_config
from .check import ExportMismatch, differences
from .deployed import DeployedModel
from .exported import Exported
from .reference import Expected, Reference
from .trained_model import trained_model

Runner = Callable[[Tensor], Sequence[Tensor]]
Write = Callable[[nn.Module, Expected, Path], Runner]

BATCHES = 1, 3
ROUNDS = 3


def write_file(owner: str, runtime: str, write: Write, config: ConfigLike,
               out: Union[str, Path], checkpoint: Optional[Union[str, Path]],
               input_size: Optional[Sequence[int]], decode: Optional[bool],
               normalize: bool) -> Exported:
    """Export a model and compare the file with it.

    Args:
        owner: What messages of errors start with.
        runtime: What runs the file.
        write: Writes a :class:`DeployedModel` to a path, with images to trace
            it with, and gives what runs the file.
        config, out, checkpoint, input_size, decode, normalize: As for
            :func:`export_onnx`.

    Returns:
        What was written.
    """
    out = Path(out)
    sources = {}
    if checkpoint is not None:
        sources['checkpoint'] = Path(checkpoint)
        check_input(sources['checkpoint'], owner)
    check_out(out, sources, owner)
    model = trained_model(load_config(config), checkpoint, owner)
    reference = Reference(model, input_size, decode, normalize, owner)
    expected = [reference.expect(batch) for batch in BATCHES]
    deployed = DeployedModel(model, reference.decode, normalize).eval()
    # The file is checked before it gets its name.
    with replacing(out) as path:
        with torch.no_grad(), warnings.catch_warnings():
            # A trace warns of each comparison of sizes. Where one mattered,
            # the batch that it did not see would show it.
            warnings.simplefilter('ignore', torch.jit.TracerWarning)
            warnings.simplefilter('ignore', DeprecationWarning)
            run = write(deployed, expected[0], path)
        found = [_check(owner, run, e) for e in expected]
        latency = _latency(model, expected[0].inputs, runtime, run)
    exported = _summarize(out, expected, found, latency)
    if exported.compared and not exported.compared[0]:
        MMLogger.get_instance('srpose_mm', logger_name='srpose_mm').warning(
            f'{owner}: the decoding was not compared: no heatmap of random '
            'images has a clear peak')
    return exported


def _check(owner: str, run: Runner, expected: Expected) -> dict:
    """Run a file and compare what it gives."""
    try:
        got = run(expected.inputs)
    # Each runtime has errors of its own, and some are plain exceptions.
    except Exception as err:
        raise ExportMismatch(
            f'{owner}: expected a file that runs with any number of images, '
            f'got an error with {len(expected.inputs)}: '
            f'{str(err)[-300:]}; no file is written') from err
    return differences(expected, got, owner)


def _latency(model: nn.Module, image: Tensor, runtime: str,
             run: Runner) -> dict:
    """Time for one image in PyTorch, without decoding, and in a file."""
    with torch.no_grad():
        tasks = {
            'PyTorch': lambda: model(image, None),
            runtime: lambda: run(image)
        }
        figures = time_interleaved('latency', tasks, ROUNDS, image.device)
    return {figure.system: figure.median for figure in figures}


def _summarize(out: Path, expected: Sequence[Expected],
               found: Sequence[dict], latency: dict) -> Exported:
    tensors = dict(inputs=expected[0].inputs, **expected[0].outputs)
    compared = None
    if expected[0].steady is not None:
        steady = torch.cat([e.steady for e in expected])
        compared = int(steady.sum()), steady.numel()
    return Exported(
        file=out,
        shapes={name: tuple(t.shape[1:]) for name, t in tensors.items()},
        differences={
            name: max(one[name] for one in found)
            for name in found[0]
        },
        compared=compared,
        latency=latency)
