"""Swap the head of every config that MMPose installs and count what works.

Each is swapped, written, read and built. Each distinct combination of
backbone, input size and codec is trained for a step and decoded on random
data. The exit code is 0 if nothing failed; a refusal is no failure.

Example:
    python -m lab.sweep --out sweep.json
    python -m lab.sweep --filter coco --scheme sr --no-run
"""
import argparse
import sys

from mmengine import dump

from . import stock_configs, sweep_heads, sweep_summary


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        prog='python -m lab.sweep',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--scheme', nargs='+', default=['sr', 'srpose'],
        choices=['sr', 'srpose'])
    parser.add_argument(
        '--filter', nargs='+', default=[], metavar='WORD',
        help='only configs with one of these words in mmpose::PATH')
    parser.add_argument('--limit', type=int, help='number of configs')
    parser.add_argument(
        '--no-run', action='store_true',
        help='swap and build only; minutes instead of an hour')
    parser.add_argument('--out', help='JSON file with a record per config')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    configs = stock_configs(args.filter)[:args.limit]
    records = sweep_heads(configs, args.scheme, run=not args.no_run)
    sys.stdout.write(f'{sweep_summary(records)}\n')
    if args.out:
        dump(records, args.out, file_format='json', indent=2)
    failed = sum(record['reached'] == 'failed' for record in records)
    if failed:
        raise SystemExit(f'sweep: {failed} swaps failed')


if __name__ == '__main__':
    main()
