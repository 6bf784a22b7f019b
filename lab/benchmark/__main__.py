"""Measure this package against MMPose's heads and codecs, side by side.

Example:
    python -m lab.benchmark --out-dir work_dirs/benchmark
    python -m lab.benchmark --measures loss decode --rounds 5
"""
import argparse
import sys
from pathlib import Path

from mmengine import dump
from mmengine.logging import MMLogger

from lab.benchmark import (
    MEASURES,
    as_json,
    benchmark,
    draw_figures,
    format_result,
)


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--measures',
        nargs='+',
        choices=MEASURES,
        metavar='measure',
        help=f'some of {", ".join(MEASURES)}; default: all')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument(
        '--batch', type=int, default=16, help='images of a training step')
    parser.add_argument('--device', help='default: a GPU where there is one')
    parser.add_argument(
        '--data-root', help='COCO for the loader; default: drawn images')
    parser.add_argument(
        '--out-dir', help='folder for benchmark.json, .md and .png')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        result = benchmark(args.measures, args.rounds, args.batch,
                           args.device, args.data_root)
    except ValueError as err:
        raise SystemExit(f'{err}') from err
    page = format_result(result)
    sys.stdout.write(page)
    if args.out_dir:
        out_dir = Path(args.out_dir)
        out_dir.mkdir(parents=True, exist_ok=True)
        dump(as_json(result), out_dir / 'benchmark.json', indent=2)
        (out_dir / 'benchmark.md').write_text(f'# Benchmark\n\n{page}',
                                              'utf-8')
        draw_figures(result['figures'], out_dir / 'benchmark.png',
                     result['machine'])
        logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
        logger.info(f'written to {out_dir}')


if __name__ == '__main__':
    main()
