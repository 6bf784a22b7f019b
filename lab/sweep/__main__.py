"""Swap the head of every config that MMPose installs and see what works.

Each is converted, written, reloaded and built; one training step and one
decode run on made-up data for each distinct combination of backbone, input
size and codec. The exit code is 0 if nothing failed; refusals are no failures.

Example:
    mim run srpose_mm sweep_swap_head --out sweep.json
    mim run srpose_mm sweep_swap_head --filter coco --scheme sr --no-run
"""
import argparse
import sys

from mmengine import dump
from mmengine.logging import MMLogger

from .sweep_swap_head import stock_configs, sweep_summary, sweep_swap_head


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        '--scheme',
        nargs='+',
        default=['sr', 'srpose'],
        choices=['sr', 'srpose'])
    parser.add_argument(
        '--filter',
        nargs='+',
        default=[],
        metavar='WORD',
        help='only configs with one of these words in mmpose::PATH')
    parser.add_argument('--limit', type=int, help='only the first so many')
    parser.add_argument(
        '--no-run',
        action='store_true',
        help='convert and build only, minutes instead of an hour')
    parser.add_argument('--out', help='JSON file, a record for each config')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    configs = stock_configs(args.filter)[:args.limit]
    records = sweep_swap_head(
        configs, args.scheme, run=not args.no_run, progress=True)
    sys.stdout.write(f'\n{sweep_summary(records)}\n')
    if args.out:
        dump(records, args.out, file_format='json', indent=2)
        logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
        logger.info(f'written to {args.out}')
    failed = sum(record['reached'] == 'failed' for record in records)
    if failed:
        raise SystemExit(f'{failed} configs failed')


if __name__ == '__main__':
    main()
