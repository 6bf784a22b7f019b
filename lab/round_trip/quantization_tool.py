"""What codecs lose between encoding and decoding, on each heatmap grid.

Example:
    mim run srpose_mm quantization ANNOTATIONS.json --out-dir quantization
    mim run srpose_mm quantization --random 2000 --config CONFIG
"""
import argparse
import sys
from pathlib import Path

from mmengine import dump
from mmengine.logging import MMLogger

from lab.round_trip.quantization import quantization
from lab.round_trip.quantization_report import (
    draw_quantization,
    format_quantization,
)


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    source = parser.add_mutually_exclusive_group(required=True)
    source.add_argument(
        'ann_file',
        nargs='?',
        help='annotations in COCO\'s format; no image is read')
    source.add_argument(
        '--random', type=int, metavar='N', help='take N random points instead')
    parser.add_argument(
        '--config', help='config whose codec gets a row of its own')
    parser.add_argument(
        '--input-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='in px; default: that of the config\'s codec, or 192 256')
    parser.add_argument('--seed', type=int, default=0, help='of the points')
    parser.add_argument('--device', help='e.g. cuda:0; default: what is there')
    parser.add_argument(
        '--out-dir', help='folder for quantization.json and quantization.png')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        result = quantization(args.ann_file, args.random, args.config,
                              args.input_size, args.seed, args.device)
    except (FileNotFoundError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    sys.stdout.write(format_quantization(result) + '\n')
    if args.out_dir:
        out_dir = Path(args.out_dir)
        out_dir.mkdir(parents=True, exist_ok=True)
        dump(result, out_dir / 'quantization.json', indent=2)
        draw_quantization(result, out_dir / 'quantization.png')
        logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
        logger.info(f'written to {out_dir}')


if __name__ == '__main__':
    main()
