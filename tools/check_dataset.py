"""Find faults in the annotations and images that a config names.

Each fault says how MMPose reacts to it. The exit code is 1 if there is one.

Example:
    mim run srpose_mm check_dataset CONFIG --split train --images
"""
import argparse
import sys
from dataclasses import asdict

from mmengine import dump

from srpose_mm.check_data import check_dataset, format_reports
from srpose_mm.console import one_line_errors


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'config',
        help='config: a file, PACKAGE::PATH or a name, of srpose_mm or MMPose')
    parser.add_argument(
        '--split',
        nargs='+',
        choices=['train', 'val', 'test'],
        help='data loaders; default: all that the config has')
    parser.add_argument(
        '--images',
        action='store_true',
        help='open every image; default: check that it exists')
    parser.add_argument(
        '--limit',
        type=int,
        default=10,
        help='number of faults of a kind that are listed')
    parser.add_argument('--json', help='file for all faults')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    with one_line_errors('check_dataset'):
        reports = check_dataset(args.config, args.split, args.images)
        sys.stdout.write(format_reports(reports, args.limit) + '\n')
        if args.json:
            dump([asdict(report) for report in reports], args.json, indent=2)
    if any(report.faults for report in reports):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
