"""Print the environment and what is missing, and run a small model.

Example:
    python -m srpose_mm
"""
import argparse
import sys
from importlib.metadata import distributions

import torch
from mmengine.utils.dl_utils import collect_env
from mmpose.apis import init_model

from .configs import SRPOSE_MIM, load_config
from .environment import is_installed
from .version import __version__

# Packages that MMEngine's report lacks.
PACKAGES = ('mmcv', 'mmdet', 'mmpose', 'numpy', 'xtcocotools')
# Purpose of each optional module.
OPTIONAL = {
    'mmcv._ext': 'compiled operators of mmcv, which mmcv-lite lacks',
    'mmdet': 'a detector for predict, HRFormer and other backbones',
    'mim': 'the commands mim train, mim test and mim run',
    'timm': 'predict without a config, TimmBackbone',
    'onnx': 'export --format onnx',
    'onnxruntime': 'export --format onnx, to check the file',
    'tensorboard': 'training curves in TensorBoard',
    'mmpretrain': 'ViT and other backbones of MMPretrain'
}


def environment_report() -> str:
    """Return versions and missing packages as text."""
    rows = collect_env()
    rows.pop('PyTorch compiling details')
    found = {d.metadata['Name']: d.version for d in distributions()}
    rows.update((name, found.get(name, 'missing')) for name in PACKAGES)
    missing = {k: v for k, v in OPTIONAL.items() if not is_installed(k)}
    parts = {
        f'srpose_mm {__version__}': rows,
        'Missing' if missing else 'Nothing is missing': missing
    }
    return '\n\n'.join(
        '\n'.join([title, *(f'  {k:<18} {v}' for k, v in part.items())])
        for title, part in parts.items())


def run_demo_model() -> str:
    """Build the demo's model, run it and return a sentence about it."""
    path, = (SRPOSE_MIM / 'configs' / 'demo').glob('*.py')
    cfg = load_config(path)
    width, height = cfg.codec.input_size
    model = init_model(cfg, device='cpu')
    with torch.no_grad():
        heatmaps = model(torch.zeros(1, 3, height, width), None)
    return f'{path.stem} runs, its heatmaps have shape {tuple(heatmaps.shape)}'


def main(argv=None):
    """Run the command-line tool."""
    argparse.ArgumentParser(
        prog='python -m srpose_mm',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter).parse_args(argv)
    sys.stdout.write(f'{environment_report()}\n\n{run_demo_model()}\n')


if __name__ == '__main__':
    main()
