"""Train and test the rows of a study, and write their table and picture.

Finished runs are not repeated and killed ones go on: start it again.

Example:
    mim run srpose_mm study experiments/face68/study.py \\
        --work-dir work_dirs/face68
    mim run srpose_mm study experiments/coco/study.py \\
        --work-dir work_dirs/coco --gpus 8
"""
import argparse
import signal
import sys

from mmengine.config import DictAction

from lab.study import report_study, run_study


def parse_args(argv=None):
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('study', help='file with the rows of the study')
    parser.add_argument('--work-dir', help='folder for the trainings')
    parser.add_argument(
        '--rows', nargs='+', metavar='NAME', help='only these; default: all')
    parser.add_argument(
        '--seeds', nargs='+', type=int, metavar='N', help='only these')
    parser.add_argument(
        '--results',
        help='JSON file that keeps the results, beside which the report is\n'
        'written; default: results.json beside the study')
    parser.add_argument(
        '--report-only',
        action='store_true',
        help='write the report of the results that are there')
    parser.add_argument(
        '--again',
        action='store_true',
        help='throw away what is there of --rows and run them anew')
    parser.add_argument(
        '--gpus',
        type=int,
        default=1,
        metavar='N',
        help='GPUs of each training; default: 1')
    parser.add_argument(
        '--accumulate',
        type=int,
        metavar='N',
        help='batches of each step; default: as many as fewer GPUs than the\n'
        'study is for need to reach its batch')
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='for every training and test')
    args = parser.parse_args(argv)
    if not args.report_only and args.work_dir is None:
        parser.error('expected --work-dir, or --report-only')
    asked = (args.work_dir, args.rows, args.seeds, args.cfg_options,
             args.accumulate, args.gpus > 1)
    if args.report_only and (args.again or any(asked)):
        parser.error('expected nothing but --results with --report-only')
    return args


def say(line):
    sys.stdout.write(line + '\n')
    sys.stdout.flush()


def main(argv=None):
    args = parse_args(argv)
    # So that the training is ended too, not only this process.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        failed = []
        if not args.report_only:
            failed = run_study(args.study, args.work_dir, args.results,
                               args.rows, args.seeds, args.cfg_options,
                               args.again, say, args.gpus,
                               args.accumulate)
        if failed:
            raise SystemExit(f'failed: {"; ".join(failed)}')
        say(report_study(args.study, args.results))
    except (FileNotFoundError, ValueError) as err:
        raise SystemExit(f'{err}') from err


if __name__ == '__main__':
    main()
