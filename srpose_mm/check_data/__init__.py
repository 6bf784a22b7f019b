from .findings import Fault, Findings
from .kinds import EFFECTS, KINDS
from .report import Checked, as_json, format_checked
from .sources import Source, find_sources

__all__ = [
    'EFFECTS', 'KINDS', 'Checked', 'Fault', 'Findings', 'Source', 'as_json',
    'find_sources', 'format_checked'
]
