"""Draw a keypoint dataset of articulated figures.

Example:
    mim run srpose_mm make_toy_dataset data/toy_coco --layout coco
"""
import argparse

from srpose_mm.console import get_logger, one_line_errors
from srpose_mm.testing import make_toy_dataset


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('out_dir', help='the data_root to write')
    parser.add_argument(
        '--layout', default='coco', choices=['coco', 'crowdpose'])
    parser.add_argument('--num-train', type=int, default=800)
    parser.add_argument('--num-val', type=int, default=100)
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    logger = get_logger()
    logger.info(f'drawing {args.num_train} training and {args.num_val} '
                f'validation images ({args.layout} layout)')
    with one_line_errors('make_toy_dataset'):
        root = make_toy_dataset(
            args.out_dir,
            layout=args.layout,
            num_train=args.num_train,
            num_val=args.num_val,
            seed=args.seed)
    logger.info(f'written to {root}')


if __name__ == '__main__':
    main()
