"""Put a super-resolution head on a stock MMPose model.

It writes a config that inherits from the stock one and runs with mim, and
shows the model before and after. With --checkpoint the weights that stay are
written beside it, under the config's name with .pth; the config loads them.

Example:
    mim run srpose_mm swap_head td-hm_res50_8xb64-210e_coco-256x192 \\
        --scheme srpose --out my_config.py --checkpoint stock.pth
    mim train mmpose my_config.py
"""
import argparse
import sys

from mmengine.logging import MMLogger

from srpose_mm.apis import swap_files


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='stock config: a file, mmpose::PATH or a name of the model zoo')
    parser.add_argument('--out', required=True, help='config to write, .py')
    parser.add_argument('--scheme', default='sr', choices=['sr', 'srpose'])
    parser.add_argument('--checkpoint', help='weights of the stock model')
    parser.add_argument(
        '--heatmap-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='in cells; default: the size of the input')
    parser.add_argument(
        '--upscale-factor',
        type=int,
        help='in its place: heatmap cells for one cell of the features')
    parser.add_argument(
        '--sigma',
        type=float,
        help='of the targets, in heatmap cells; default: the stock width')
    parser.add_argument('--refine', choices=['none', 'shift', 'dark'])
    parser.add_argument(
        '--unbiased',
        action='store_true',
        default=None,
        help='centre the targets on the keypoints, not on cells')
    parser.add_argument(
        '--embed-channels', type=int, help='for each keypoint')
    return parser.parse_args(argv)


def main(argv=None):
    args = vars(parse_args(argv))
    if args['heatmap_size']:
        args['heatmap_size'] = tuple(args['heatmap_size'])
    try:
        files = swap_files(args.pop('config'), args.pop('out'), **args)
    except (OSError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    sys.stdout.write(files.table + '\n')
    logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
    if files.weights:
        logger.info(files.weights.report())
        logger.info(f'weights written to {files.checkpoint}')
    logger.info(f'config written to {files.out}')


if __name__ == '__main__':
    main()
