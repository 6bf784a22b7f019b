from .arguments import add_export_arguments
from .check import ExportMismatch
from .exported import Exported

__all__ = ['Exported', 'ExportMismatch', 'add_export_arguments']
