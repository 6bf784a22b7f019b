"""Predict keypoints in images and videos; write pictures and JSON files.

The model is any top-down or bottom-up one of this package or MMPose. If no
detector is given, a top-down model processes an image as one instance. Inputs
are images, videos, and folders, which are searched at any depth.

Example:
    mim run srpose_mm predict photo.jpg
    mim run srpose_mm predict images/ clip.mp4 \\
        --config CONFIG --checkpoint CHECKPOINT --out-dir predictions
    mim run srpose_mm predict images/ \\
        --config CONFIG --checkpoint CHECKPOINT \\
        --det-config mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py \\
        --det-checkpoint DETECTOR.pth --det-classes bird
"""
import argparse

from mmengine.config import DictAction

from srpose_mm.apis import predict
from srpose_mm.console import one_line_errors
from srpose_mm.inference import SHIPPED_MODEL


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'inputs', nargs='+', metavar='input', help='image, video or folder')
    parser.add_argument(
        '--config',
        default=SHIPPED_MODEL,
        help='config: a file, PACKAGE::PATH or a name, of srpose_mm or\n'
        'MMPose; default: the model whose weights srpose_mm has')
    parser.add_argument(
        '--checkpoint',
        help='checkpoint: a file or URL; default: the weights beside the\n'
        'config')
    parser.add_argument('--out-dir', default='predictions')
    parser.add_argument(
        '--det-config', help='config of an MMDetection detector')
    parser.add_argument(
        '--det-checkpoint', help='checkpoint of the detector: a file or URL')
    parser.add_argument(
        '--det-classes',
        nargs='+',
        default=['person'],
        metavar='CLASS',
        help="the detector's classes that count; default: person")
    parser.add_argument(
        '--bbox-thr',
        type=float,
        default=0.3,
        help='detected boxes need a higher score')
    parser.add_argument(
        '--nms-thr',
        type=float,
        default=0.3,
        help='highest IoU of two detected boxes')
    parser.add_argument(
        '--kpt-thr',
        type=float,
        default=0.3,
        help='lowest score of a keypoint that is drawn')
    parser.add_argument(
        '--batch-size',
        type=int,
        default=32,
        help='number of boxes of an image that are processed at once')
    parser.add_argument(
        '--no-pictures',
        dest='pictures',
        action='store_false',
        help='write JSON files only')
    parser.add_argument('--device', help='e.g. cuda:0; default: a GPU if any')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


def main(argv=None):
    args = vars(parse_args(argv))
    with one_line_errors('predict'):
        summary = predict(**args)
    if summary.skipped or not summary.images:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
