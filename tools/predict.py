"""Find people's keypoints in images and videos: pictures and JSON files.

The model is any top-down or bottom-up one of this package or MMPose. Without
a detector a top-down model takes the whole image for one person. Inputs are
images, videos, or folders, which are searched with what lies below.

Example:
    mim run srpose_mm predict CONFIG CHECKPOINT images/ clip.mp4 \\
        --out-dir predictions
    mim run srpose_mm predict CONFIG CHECKPOINT images/ \\
        --det-config mmdet::rtmdet/rtmdet_tiny_8xb32-300e_coco.py \\
        --det-checkpoint DETECTOR.pth
"""
import argparse

from mmengine.config import DictAction

from srpose_mm.apis import predict


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='config: a file, PACKAGE::PATH or a name, of srpose_mm or MMPose')
    parser.add_argument('checkpoint', help='checkpoint file')
    parser.add_argument(
        'inputs', nargs='+', metavar='input', help='image, video or folder')
    parser.add_argument('--out-dir', default='predictions')
    parser.add_argument(
        '--det-config', help='detector of MMDetection that finds the people')
    parser.add_argument('--det-checkpoint', help='its checkpoint file')
    parser.add_argument(
        '--bbox-thr',
        type=float,
        default=0.3,
        help='detected boxes need a score above it')
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
        '--no-pictures',
        dest='pictures',
        action='store_false',
        help='write JSON files only')
    parser.add_argument('--device', help='e.g. cuda:0; default: what is there')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


def main(argv=None):
    args = vars(parse_args(argv))
    try:
        result = predict(args.pop('config'), args.pop('checkpoint'), **args)
    except (ImportError, OSError, TypeError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    if result.skipped or not result.images:
        raise SystemExit(1)


if __name__ == '__main__':
    main()
