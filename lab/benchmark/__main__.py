"""Measure this package beside MMPose's heads and codecs.

Example:
    python -m lab.benchmark --out-dir work_dirs/benchmark
    python -m lab.benchmark --measures prediction --backbones ResNet-50
"""
import argparse
import sys

import torch

from srpose_mm.console import one_line_errors

from . import MEASURES, Settings, format_figures, run_benchmark, write_figures
from .systems import BACKBONES


def parse_args(argv=None):
    defaults = Settings()
    parser = argparse.ArgumentParser(
        prog='python -m lab.benchmark',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--measures', nargs='+', choices=MEASURES, metavar='MEASURE',
        help=f'some of {", ".join(MEASURES)}; default: all')
    parser.add_argument(
        '--backbones', nargs='+', choices=BACKBONES, metavar='NAME',
        default=defaults.backbones,
        help=f'some of {", ".join(BACKBONES)}; default: all')
    parser.add_argument(
        '--batch-sizes', nargs='+', type=int, metavar='N',
        default=defaults.batch_sizes,
        help='images of a prediction; default: 1 8 32')
    parser.add_argument(
        '--train-batch', type=int, default=defaults.train_batch,
        help='images of a training step')
    parser.add_argument('--rounds', type=int, default=defaults.rounds)
    parser.add_argument(
        '--seconds', type=float, default=defaults.seconds,
        help='time of a system in a round, at least')
    parser.add_argument('--device', help='default: a GPU if any')
    parser.add_argument(
        '--data-root', help='COCO for the loaders; default: drawn images')
    parser.add_argument(
        '--out-dir', help='folder for benchmark.json, .md and .png')
    args = parser.parse_args(argv)
    for name in ('train_batch', 'rounds'):
        if getattr(args, name) < 1:
            parser.error(f'expected a positive {name}, got '
                         f'{getattr(args, name)}')
    return args


def main(argv=None):
    args = parse_args(argv)
    device = args.device or ('cuda' if torch.cuda.is_available() else 'cpu')
    settings = Settings(
        torch.device(device), args.rounds, args.seconds, args.batch_sizes,
        args.train_batch, args.backbones, args.data_root)
    with one_line_errors('benchmark'):
        result = run_benchmark(settings, args.measures)
        sys.stdout.write(format_figures(result))
        if args.out_dir:
            write_figures(result, args.out_dir)


if __name__ == '__main__':
    main()
