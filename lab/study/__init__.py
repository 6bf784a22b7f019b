from .ledger import Ledger
from .report import report_study
from .runs import run_study
from .study_file import Row, Study, read_study

__all__ = ['Ledger', 'Row', 'Study', 'read_study', 'report_study',
           'run_study']
