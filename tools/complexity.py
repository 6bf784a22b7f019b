"""Parameters and GFLOPs of models as they are deployed, beside the paper's.

Example:
    mim run srpose_mm complexity CONFIG [CONFIG ...]
    mim run srpose_mm complexity mmpose::body_2d_keypoint/.../NAME.py
"""
import argparse
import sys

from mmengine import dump
from mmengine.logging import MMLogger

from srpose_mm.deploy.complexity import complexity_report, format_report


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'configs',
        nargs='+',
        metavar='config',
        help='a file, PACKAGE::PATH or a name, of srpose_mm or MMPose')
    parser.add_argument(
        '--input-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='in px; default: that of the config\'s codec')
    parser.add_argument('--out', help='JSON file for the exact numbers')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    report = complexity_report(args.configs, args.input_size)
    sys.stdout.write(format_report(report) + '\n')
    if args.out:
        dump(report, args.out, file_format='json', indent=2)
        logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
        logger.info(f'written to {args.out}')


if __name__ == '__main__':
    main()
