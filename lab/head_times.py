r"""Time what follows the backbone in the models of a study.

Neck, head and decoding of all rows are timed in turns, from the features of
the backbone to keypoints. The models have random weights and the deployed form
of ``fuse_for_inference``; the flip test is off.

Example:
    python -m lab.head_times lab/experiments/lspet/study.py --batch-sizes 1 32
"""
import argparse
import sys

import pandas as pd

from srpose_mm.configs import init_scope, load_config
from srpose_mm.console import one_line_errors

from .benchmark.measure import Settings, time_tasks
from .benchmark.prediction import REST, prediction_tasks
from .benchmark.systems import System
from .study import Study, read_study


def parse_args(argv=None):
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        prog='python -m lab.head_times',
        description=__doc__,
        formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument('study', help='file of a study of top-down models')
    parser.add_argument(
        '--batch-sizes', nargs='+', type=int, default=[1, 32], metavar='N',
        help='images of a prediction; default: 1 32')
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--seconds', type=float, default=0.5)
    return parser.parse_args(argv)


def main(argv=None):
    """Run the command-line tool."""
    args = parse_args(argv)
    settings = Settings(
        rounds=args.rounds, seconds=args.seconds, batch_sizes=args.batch_sizes)
    with one_line_errors('head_times'):
        table = time_rows(read_study(args.study), settings)
    sys.stdout.write(table.to_markdown(floatfmt='.2f') + '\n')


def time_rows(study: Study, settings: Settings) -> pd.DataFrame:
    """Return the median time in ms of each row and batch size."""
    systems, models = {}, {}
    for row in study.rows:
        cfg = load_config(row.config)
        cfg.model.backbone.init_cfg = None
        init_scope(cfg)
        systems[row.name] = System(cfg, fast=True)
        models[row.name] = systems[row.name].build(
            settings.device, deploy=True)
    columns = {}
    for batch in settings.batch_sizes:
        tasks = {
            name: prediction_tasks(model, systems[name], batch,
                                   settings.device)[REST]
            for name, model in models.items()
        }
        columns[f'batch {batch}, ms'] = {
            figure['system']: figure['median']
            for figure in time_tasks(REST, tasks, settings)
        }
    return pd.DataFrame(columns).rename_axis('row')


if __name__ == '__main__':
    main()
