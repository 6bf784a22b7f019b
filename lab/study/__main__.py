r"""Train and test the rows of a study, and write their table and picture.

Done runs are skipped and killed trainings resume: repeat the command.

Example:
    python -m lab.study lab/experiments/face68/study.py \\
        --work-dir work_dirs/face68
    python -m lab.study lab/experiments/coco/study.py \\
        --work-dir work_dirs/coco --gpus 8
"""
import argparse
import signal
import sys

from mmengine.config import DictAction

from srpose_mm.console import one_line_errors

from . import report_study, run_study


def parse_args(argv=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m lab.study',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('study', help="the study's file")
    parser.add_argument('--work-dir', help='folder of the trainings')
    parser.add_argument(
        '--rows', nargs='+', metavar='NAME', help='rows to run; default: all')
    parser.add_argument(
        '--seeds', nargs='+', type=int, metavar='N',
        help='seeds to run; default: all')
    parser.add_argument(
        '--results',
        help='JSON file of the results, with the report beside it;\n'
        'default: results.json beside the study')
    parser.add_argument(
        '--report-only', action='store_true',
        help='write the report of the results that exist')
    parser.add_argument(
        '--gpus', type=int, default=1, metavar='N',
        help='processes of each training; default: 1')
    parser.add_argument(
        '--cfg-options', nargs='+', action=DictAction,
        help='options of every training and test')
    args = parser.parse_args(argv)
    if not args.report_only and args.work_dir is None:
        parser.error('expected --work-dir or --report-only')
    return args


def main(argv=None):
    """Run the command-line tool."""
    args = parse_args(argv)
    # Raise, so that the running training is ended too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with one_line_errors('study'):
        failed = []
        if not args.report_only:
            failed = run_study(args.study, args.work_dir, args.results,
                               args.rows, args.seeds, args.cfg_options,
                               args.gpus)
        if failed:
            raise RuntimeError(f'{len(failed)} runs failed; the first: '
                               f'{failed[0]}')
        sys.stdout.write(report_study(args.study, args.results) + '\n')


if __name__ == '__main__':
    main()
