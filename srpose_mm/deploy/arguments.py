import argparse

from mmengine.config import DictAction


def add_export_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the tools that export a model have in common."""
    parser.add_argument(
        'config',
        help='config: a file, PACKAGE::PATH or a name, of srpose_mm or MMPose')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='its weights; without them the file is one to try things on')
    parser.add_argument('--out', required=True, help='file to write')
    parser.add_argument(
        '--input-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='in px; default: that of the config\'s codec')
    parser.add_argument(
        '--decode',
        action=argparse.BooleanOptionalAction,
        help='write keypoints and scores, not heatmaps;\n'
        'default: where the codec is an SRHeatmap')
    parser.add_argument(
        '--normalize',
        action='store_true',
        help='take images as OpenCV reads them, 0 to 255, and normalise\n'
        'them inside; default: take normalised ones')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
