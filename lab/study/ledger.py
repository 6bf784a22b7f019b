import json
from pathlib import Path
from typing import Callable, Dict, List, Sequence, Tuple, Union

from srpose_mm.checkpoints.replacing import replacing

from .locks import locked

Record = Dict[str, object]
Key = Tuple[str, int, str]


class Ledger:
    """The results of a study: a JSON file that is always whole.

    A record is a dict with at least ``row``, ``seed`` and ``test``, of which
    each combination is there once. Several processes may add to one file.

    Args:
        path: The file, which need not be there yet.

    Raises:
        ValueError: If there is a file that is something else.
    """

    def __init__(self, path: Union[str, Path]):
        self.path = Path(path)
        self.records()

    def records(self) -> List[Record]:
        """What is in the file now, in the order of its coming."""
        if not self.path.is_file():
            return []
        try:
            records = json.loads(self.path.read_text('utf-8'))['records']
            for record in records:
                self.key(record)
        except (KeyError, TypeError, ValueError) as err:
            raise ValueError(
                f'{type(self).__name__}: expected the results of a study in '
                f'{str(self.path)!r}, got something else ({err!r}); name '
                'another file or remove it') from err
        return records

    @staticmethod
    def key(record: Record) -> Key:
        """What there is one record of."""
        return record['row'], record['seed'], record['test']

    def by_key(self) -> Dict[Key, Record]:
        """The records by row, seed and test."""
        return {self.key(record): record for record in self.records()}

    def add(self, record: Record) -> None:
        """Add a record, in the place of one with the same key."""
        self._change(lambda known: {**known, self.key(record): record})

    def remove(self, keys: Sequence[Key]) -> None:
        """Forget records; those that are not there are no error."""
        self._change(lambda known: {
            key: record
            for key, record in known.items() if key not in keys
        })

    def _change(self, change: Callable[[Dict], Dict]) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.path.parent):
            records = [*change(self.by_key()).values()]
            with replacing(self.path) as unfinished:
                text = json.dumps(dict(records=records), indent=2)
                unfinished.write_text(text + '\n', 'utf-8')
