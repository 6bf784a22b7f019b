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
    """Results in the order of the study; rows without any are left out.

    Raises:
        ValueError: If a result lacks a metric that the study lists.
    """
    known = {Ledger.key(record): record for record in records}
    lines = []
    for row in study.rows:
        for test in row.tests:
            found = tuple(known[row.name, seed, test] for seed in row.seeds
                          if (row.name, seed, test) in known)
            if found:
                _check_metrics(study, found)
                lines.append(
                    Line(row.name, test, found, {
                        column: [record['metrics'][key] for record in found]
                        for column, key in study.metrics.items()
                    }))
    return lines


def _check_metrics(study: Study, records: Tuple[Record, ...]) -> None:
    for record in records:
        missing = set(study.metrics.values()) - set(record['metrics'])
        if missing:
            raise ValueError(
                f'study: expected results with {", ".join(sorted(missing))}, '
                f'got {record["row"]!r}, seed {record["seed"]}, '
                f'{record["test"]!r} without; it was tested before that was '
                'among the metrics: run it --again')
