"""Export a model as ONNX or TorchScript and compare the file with PyTorch.

If an output differs by more than rounding, no file is written. ONNX needs
``pip install onnx onnxruntime``.

Example:
    mim run srpose_mm export CONFIG CHECKPOINT --out model.onnx
    mim run srpose_mm export CONFIG CHECKPOINT --out a.pt --format torchscript
    mim run srpose_mm export CONFIG CHECKPOINT --out model.onnx --normalize
"""
import argparse
import sys

from mmengine.config import DictAction
from tabulate import tabulate

from srpose_mm.apis import ExportResult, export_model
from srpose_mm.configs import load_config
from srpose_mm.console import one_line_errors
from srpose_mm.deploy import FORMATS


def parse_args(argv=None):
    """Parse the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='a file, PACKAGE::PATH or a name of srpose_mm or MMPose')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='file or URL of the weights; default: random weights')
    parser.add_argument('--out', required=True, help='file to write')
    parser.add_argument('--format', choices=FORMATS, default='onnx')
    parser.add_argument(
        '--input-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='image size in px; default: the codec\'s')
    parser.add_argument(
        '--decode',
        action=argparse.BooleanOptionalAction,
        help='output keypoints and scores instead of heatmaps, which SR\n'
        'heads then do not make; default: if the codec is an SRHeatmap')
    parser.add_argument(
        '--normalize',
        action='store_true',
        help='input is an image as OpenCV reads it, 0 to 255;\n'
        'default: input is normalized')
    parser.add_argument(
        '--opset', type=int, default=17, help='version of the ONNX operators')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


def format_result(result: ExportResult) -> str:
    """Return the tensors of a file as a table in Markdown."""
    rows = []
    for name, shape in result.shapes.items():
        row = [name, f'({", ".join(["B", *map(str, shape)])})']
        if name in result.differences:
            unit = 'px' if name == 'keypoints' else 'of the highest value'
            row.append(f'{result.differences[name]:.1e} {unit}')
        rows.append(row)
    lines = [
        tabulate(
            rows,
            headers=['tensor', 'shape', 'largest difference from PyTorch'],
            tablefmt='github')
    ]
    if result.compared:
        lines.append('keypoints compared: {} of {}, the others have no clear '
                     'peak'.format(*result.compared))
    size = result.file.stat().st_size / 1e6
    return '\n'.join([*lines, f'{result.file}: {size:.1f} MB'])


def main(argv=None):
    """Run the command-line tool."""
    args = vars(parse_args(argv))
    with one_line_errors('export'):
        cfg = load_config(args.pop('config'))
        cfg.merge_from_dict(args.pop('cfg_options') or {})
        result = export_model(cfg, **args)
    sys.stdout.write(format_result(result) + '\n')


if __name__ == '__main__':
    main()
