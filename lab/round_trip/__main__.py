"""Measure what codecs lose between encoding and decoding.

A config is scored by the evaluators of its validation data: the result of a
perfect network. Annotations in COCO's format and random keypoints give the
errors alone. No image is read.

Example:
    python -m lab.round_trip CONFIG --out-dir round_trip
    python -m lab.round_trip ANNOTATIONS.json
    python -m lab.round_trip --random 2000
"""
import argparse
import sys

from mmengine.config import DictAction

from srpose_mm.console import one_line_errors

from . import (
    annotation_source,
    config_source,
    format_round_trips,
    measure_round_trip,
    random_source,
    write_round_trips,
)


def parse_args(argv=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m lab.round_trip',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        'source', nargs='*', help='top-down configs, or annotations (.json)')
    parser.add_argument(
        '--random', type=int, metavar='N', help='use N random keypoints')
    parser.add_argument(
        '--input-size', nargs=2, type=int, default=(192, 256),
        metavar=('W', 'H'),
        help='in px, for annotations and --random; default: 192 256')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction,
        help='options of the configs')
    parser.add_argument('--device', help='e.g. cuda:0; default: a GPU if any')
    parser.add_argument(
        '--out-dir', help='folder for results.json, .csv, .md and .png')
    args = parser.parse_args(argv)
    if not args.source and args.random is None:
        parser.error('expected a source or --random')
    return args


def main(argv=None):
    """Run the command-line tool."""
    args = parse_args(argv)
    with one_line_errors('round_trip'):
        sources = [
            annotation_source(name, args.input_size) if name.endswith('.json')
            else config_source(name, args.cfg_options) for name in args.source
        ]
        if args.random is not None:
            sources.append(random_source(args.random, args.input_size))
        results = [measure_round_trip(source, args.device)
                   for source in sources]
        sys.stdout.write(format_round_trips(results) + '\n')
        if args.out_dir:
            write_round_trips(results, args.out_dir)


if __name__ == '__main__':
    main()
