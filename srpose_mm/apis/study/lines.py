from statistics import fmean, stdev
from typing import Dict, List, NamedTuple, Optional, Tuple

from .ledger import Ledger, Record
from .study_file import Study


class Line(NamedTuple):
    """A row with one of its tests, over its seeds.

    ``values`` maps columns to a value for each seed.
    """

    row: str
    test: str
    records: Tuple[Record, ...]
    values: Dict[str, List[float]]

    def mean(self, column: str) -> float:
        """The mean over seeds."""
        return fmean(self.values[column])

    def deviation(self, column: str) -> Optional[float]:
        """The standard deviation over seeds; ``None`` of one seed."""
        values = self.values[column]
        return stdev(values) if len(values) > 1 else None


def study_lines(study: Study, records: List[Record]) -> List[Line]:
    """Results in the order of the study; rows without any are left out."""
    known = {Ledger.key(record): record for record in records}
    lines = []
    for row in study.rows:
        for test in row.tests:
            found = tuple(known[row.name, seed, test] for seed in row.seeds
                          if (row.name, seed, test) in known)
            if found:
                lines.append(
                    Line(row.name, test, found, {
                        column: [record['metrics'][key] for record in found]
                        for column, key in study.metrics.items()
                    }))
    return lines
