"""Read the file that defines a study."""
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from mmengine.config import Config

from srpose_mm.configs import MMPOSE_MIM, locate_config


class Row(NamedTuple):
    """A model that a study trains once per seed.

    Attributes:
        name: Name in the table.
        config: Config of the training.
        seeds: Seeds of the trainings.
        tests: Label of each test to its ``cfg_options``.
    """

    name: str
    config: Path
    seeds: Tuple[int, ...]
    tests: Dict[str, dict]


class Study(NamedTuple):
    """The content of a study's file.

    Attributes:
        path: The file.
        title: Title of the report.
        rows: The models.
        metrics: Column of the table to the name of its metric in the output
            of MMPose's test script.
        headline: Column that the picture shows.
        lower_is_better: Whether a lower headline is better.
        cfg_options: ``cfg_options`` of every training and test.
        gpus: Number of GPUs that the batch sizes of the configs are meant
            for. ``None`` means the number of the launch.
        check_data: Whether the datasets are checked before the first run.
    """

    path: Path
    title: str
    rows: Tuple[Row, ...]
    metrics: Dict[str, str]
    headline: str
    lower_is_better: bool = False
    cfg_options: Dict[str, Any] = {}
    gpus: Optional[int] = None
    check_data: bool = False


def read_study(path: Union[str, Path]) -> Study:
    """Read and check a study's file.

    Args:
        path: A config of MMEngine with the attributes of :class:`Study`, of
            which ``title``, ``rows``, ``metrics`` and ``headline`` are
            required. The config of a row is a path relative to the file, or
            an argument of :func:`locate_config`.

    Raises:
        FileNotFoundError: If the file or a row's config does not exist.
        ValueError: If the file does not define a study.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'expected the file of a study, got '
                                f'{str(path)!r}, which does not exist')
    cfg = Config.fromfile(path).to_dict()
    for key in ('title', 'rows', 'metrics', 'headline'):
        _expect(path, key in cfg, key, sorted(cfg))
    known = Study._fields[1:]
    # A study may define helpers of its own, but not misspell a key.
    for key in set(cfg) - set(known):
        close = get_close_matches(key, known, n=1, cutoff=0.8)
        _expect(path, not close, f'the key {"".join(close)}', key)
    rows = cfg['rows']
    _expect(path, isinstance(rows, (list, tuple)) and rows,
            'rows to be a list of dicts', rows)
    study = Study(path, **{key: cfg[key] for key in known if key in cfg})
    _check_values(study)
    rows = tuple(_read_row(path, row) for row in rows)
    _expect_folders(path, 'rows', [row.name for row in rows])
    return study._replace(rows=rows)


def folder_name(name: str) -> str:
    """Return the name of a row or test without blanks and special letters."""
    return re.sub(r'[^\w.-]+', '_', name)


def _expect(where: object, condition: object, expected: str,
            given: object) -> None:
    if not condition:
        raise ValueError(f'{where}: expected {expected}, got {given!r}')


def _expect_folders(where: object, kind: str, names: Sequence[str]) -> None:
    folders = {folder_name(name) for name in names}
    _expect(where, len(folders) == len(names),
            f'names of {kind} that differ in letters or digits', names)


def _check_values(study: Study) -> None:
    path, metrics = study.path, study.metrics
    _expect(path, isinstance(metrics, dict),
            'metrics to map columns to names of metrics', metrics)
    _expect(path, study.headline in metrics,
            f'headline to be one of {", ".join(metrics)}', study.headline)
    _expect(path, study.gpus is None
            or (type(study.gpus) is int and study.gpus > 0),
            'gpus to be a number of GPUs', study.gpus)


def _read_row(path: Path, row: dict) -> Row:
    _expect(path, isinstance(row, dict) and set(row) == set(Row._fields),
            f'each row to be a dict of {", ".join(Row._fields)}', row)
    where = f'{path}: row {row["name"]!r}'
    seeds, tests = row['seeds'], row['tests']
    _expect(where, isinstance(seeds, (list, tuple)) and seeds
            and all(type(seed) is int and seed >= 0 for seed in seeds)
            and len(set(seeds)) == len(seeds),
            'seeds to be different integers of at least 0, e.g. (0, 1)', seeds)
    _expect(where, isinstance(tests, dict) and tests
            and all(isinstance(test, dict) for test in tests.values()),
            'tests to map labels to cfg_options, e.g. {"shift": {}}', tests)
    _expect_folders(where, 'tests', list(tests))
    return Row(row['name'], _find_config(path, row['config'], where),
               tuple(seeds), tests)


def _find_config(study: Path, config: str, where: str) -> Path:
    beside = study.parent / config
    if beside.is_file():
        return beside
    try:
        package, _, name = locate_config(config).rpartition('::')
    except FileNotFoundError as err:
        raise FileNotFoundError(f'{where}: {err}') from err
    _expect(where, package in ('', 'mmpose'),
            'a file, or a config of MMPose or srpose_mm', config)
    return MMPOSE_MIM / 'configs' / name if package else Path(name)
