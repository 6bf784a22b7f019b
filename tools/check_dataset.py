"""Find what is wrong with the annotations and images that a config names.

It says of each fault what MMPose does with it, and fails if there is one.

Example:
    mim run srpose_mm check_dataset CONFIG --split train --images
"""
import argparse
import sys

from mmengine import dump

from srpose_mm.check_data import as_json, format_checked
from srpose_mm.check_data.check_dataset import check_dataset


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
        help='open every image; default: see that it is there')
    parser.add_argument(
        '--limit',
        type=int,
        default=10,
        help='faults that are listed of each kind')
    parser.add_argument('--json', help='file for all faults')
    return parser.parse_args(argv)


def main(argv=None):
    args = parse_args(argv)
    try:
        checked = check_dataset(args.config, args.split, args.images)
    except (FileNotFoundError, ValueError) as err:
        raise SystemExit(f'{err}') from err
    sys.stdout.write(format_checked(checked, args.limit) + '\n')
    if args.json:
        dump(as_json(checked), args.json, indent=2)
    if any(part.faults for part in checked):
        raise SystemExit(1)


if __name__ == '__main__':
    main()
