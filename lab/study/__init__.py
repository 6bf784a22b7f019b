"""Train and test a list of models, and report the results."""
from .plan import plan_runs
from .report import read_results, report_study
from .runs import run_study
from .study_file import Row, Study, read_study

__all__ = [
    'Row', 'Study', 'plan_runs', 'read_results', 'read_study', 'report_study',
    'run_study'
]
