"""Score the annotations after each codec's encoding and decoding.

What a perfect network would reach in the evaluators of a config.

Example:
    mim run srpose_mm oracle CONFIG --out-dir oracle
"""
import argparse
import sys

from mmengine.config import DictAction

from lab.round_trip.oracle import oracle
from lab.round_trip.oracle_report import format_oracle, write_oracle


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        nargs='+',
        help='top-down config, whose val_dataloader and val_evaluator count;\n'
        'no image is read')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction, help='for the configs')
    parser.add_argument('--device', help='e.g. cuda:0; default: what is there')
    parser.add_argument(
        '--out-dir', help='folder for results.json, .csv, .md and .png')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        results = [oracle(config, args.cfg_options, args.device)
                   for config in args.config]
    except (FileNotFoundError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    sys.stdout.write(format_oracle(results) + '\n')
    if args.out_dir:
        write_oracle(results, args.out_dir)


if __name__ == '__main__':
    main()
