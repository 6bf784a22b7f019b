"""Draw skeletons and heatmaps of a trained model.

Example:
    mim run srpose_mm visualize CONFIG CHECKPOINT --out-dir pictures
    mim run srpose_mm visualize CONFIG CHECKPOINT --keypoints nose left_wrist
    mim run srpose_mm visualize CONFIG CHECKPOINT --images a.jpg b.jpg
"""
import argparse

from mmengine.config import DictAction

from srpose_mm.apis import visualize
from srpose_mm.console import get_logger, one_line_errors


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='config: a file, PACKAGE::PATH or a name, of srpose_mm or MMPose')
    parser.add_argument('checkpoint', help='checkpoint: a file or URL')
    parser.add_argument('--out-dir', default='pictures')
    parser.add_argument(
        '--num-images',
        type=int,
        default=8,
        help='number of images of the test dataset')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.5,
        help='lowest score of a box of the test dataset')
    parser.add_argument(
        '--kpt-thr',
        type=float,
        default=0.3,
        help='lowest score of a keypoint that is drawn')
    parser.add_argument(
        '--keypoints',
        nargs='+',
        metavar='NAME_OR_INDEX',
        help='draw a row of heatmaps for each of these, or for all;\n'
        'default: one row, the maximum over the keypoints')
    parser.add_argument(
        '--images',
        nargs='+',
        metavar='FILE',
        help='draw these instead of the test dataset; for a top-down\n'
        'model each is one instance')
    parser.add_argument('--device', help='e.g. cuda:0; default: a GPU if any')
    parser.add_argument('--cfg-options', nargs='+', action=DictAction)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    with one_line_errors('visualize'):
        files = visualize(**vars(args))
    get_logger().info(f'{len(files)} pictures in {args.out_dir}')


if __name__ == '__main__':
    main()
