"""Convert a checkpoint of the authors' code (SRPose, bottom-up SR head).

CONFIG is the config of the same model in this package. If the weights do not
fit it, the error names the configs that they fit. Without --out nothing is
written.

Example:
    mim run srpose_mm convert_checkpoint \\
        td-srpose_res50_8xb32-210e_coco-256x192 authors.pth --out ours.pth
"""
import argparse

from srpose_mm.checkpoints import convert_checkpoint
from srpose_mm.console import get_logger, one_line_errors


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='config: a file, PACKAGE::PATH or a name, of srpose_mm or MMPose')
    parser.add_argument('checkpoint', help='the authors\' file or its URL')
    parser.add_argument('--out', help='file to write')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    with one_line_errors('convert_checkpoint'):
        convert_checkpoint(args.config, args.checkpoint, args.out)
    if args.out:
        get_logger().info(f'wrote {args.out}')


if __name__ == '__main__':
    main()
