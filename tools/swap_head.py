r"""Put a super-resolution head on a stock MMPose model.

The tool writes a config that inherits from the stock one and runs with mim,
and prints the model before and after. With --checkpoint, the weights that
stay are written beside it, with the suffix .pth, and the config loads them.

Example:
    mim run srpose_mm swap_head td-hm_res50_8xb64-210e_coco-256x192 \
        --scheme srpose --out my_config.py --checkpoint stock.pth
    mim train mmpose my_config.py
"""
import argparse
import sys

from srpose_mm.apis import swap_files
from srpose_mm.codecs import REFINEMENTS
from srpose_mm.console import get_logger, one_line_errors


def parse_args(argv=None):
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='stock config: a file, mmpose::PATH or a name of the model zoo')
    parser.add_argument('--out', required=True, help='config to write, .py')
    parser.add_argument('--scheme', default='sr', choices=['sr', 'srpose'])
    parser.add_argument('--checkpoint', help='weights of the stock model')
    parser.add_argument(
        '--backbone',
        metavar='timm:NAME',
        help='new backbone from timm; default: the stock backbone')
    parser.add_argument(
        '--heatmap-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='in cells; default: the size of the input')
    parser.add_argument(
        '--upscale-factor',
        type=int,
        help='alternative: heatmap cells per cell of the features')
    parser.add_argument(
        '--sigma',
        type=float,
        help='of the targets, in heatmap cells; default: the stock width')
    parser.add_argument('--refine', choices=REFINEMENTS)
    parser.add_argument(
        '--unbiased',
        action='store_true',
        default=None,
        help='center the targets on the keypoints, not on cells')
    parser.add_argument(
        '--embed-channels', type=int, help='for each keypoint')
    return parser.parse_args(argv)


def main(argv=None):
    """Run the tool."""
    args = vars(parse_args(argv))
    if args['heatmap_size']:
        args['heatmap_size'] = tuple(args['heatmap_size'])
    with one_line_errors('swap_head'):
        files = swap_files(args.pop('config'), args.pop('out'), **args)
    sys.stdout.write(files.table + '\n')
    logger = get_logger()
    if files.weights:
        logger.info(files.weights.report())
        logger.info(f'weights written to {files.checkpoint}')
    logger.info(f'config written to {files.out}')


if __name__ == '__main__':
    main()
