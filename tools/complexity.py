"""Count parameters and GFLOPs of models in their deployed form.

Example:
    mim run srpose_mm complexity CONFIG [CONFIG ...]
    mim run srpose_mm complexity mmpose::body_2d_keypoint/.../NAME.py
"""
import argparse
import sys
from pathlib import Path

from mmengine import dump
from tabulate import tabulate

from srpose_mm.apis import measure_complexity
from srpose_mm.console import get_logger, one_line_errors, progress


def parse_args(argv=None):
    """Parse the arguments of the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'configs',
        nargs='+',
        metavar='config',
        help='a file, PACKAGE::PATH or a name of srpose_mm or MMPose')
    parser.add_argument(
        '--input-size',
        nargs=2,
        type=int,
        metavar=('W', 'H'),
        help='image size in px; default: the codec\'s')
    parser.add_argument('--out', help='JSON file for the exact numbers')
    return parser.parse_args(argv)


def format_rows(rows):
    """Return the numbers of several models as a table in Markdown."""
    return tabulate(
        [[
            row['config'], f'{row["backbone_params"] / 1e6:.2f}',
            f'{row["other_params"] / 1e6:.2f}', f'{row["gflops"]:.2f}'
        ] for row in rows],
        headers=['config', 'backbone M', 'other M', 'GFLOPs'],
        tablefmt='github',
        disable_numparse=True,
        colalign=['left', 'right', 'right', 'right'])


def main(argv=None):
    """Run the command-line tool."""
    args = parse_args(argv)
    rows = []
    with one_line_errors('complexity'):
        for config in progress(args.configs, 'Counting'):
            found = measure_complexity(config, args.input_size)
            rows.append(dict(config=Path(config).stem, **found._asdict()))
        sys.stdout.write(format_rows(rows) + '\n')
        if args.out:
            dump(rows, args.out, file_format='json', indent=2)
            get_logger().info(f'written to {args.out}')


if __name__ == '__main__':
    main()
