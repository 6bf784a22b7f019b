"""Read the file that defines a study."""
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from mmengine.config import Config

from srpose_mm.configs import MMPOSE_MIM, locate_config

REQUIRED = ('title', 'rows', 'metrics', 'headline')
OPTIONAL = dict(lower_is_better=False, cfg_options={}, gpus=None, data={})
FACTS = ('images', 'annotations', 'source')
ROW = ('name', 'config', 'seeds', 'tests')


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
        data: Name of a file or folder to its number of ``images`` and
            ``annotations`` and its ``source``, as far as they are known.
    """

    path: Path
    title: str
    rows: Tuple[Row, ...]
    metrics: Dict[str, str]
    headline: str
    lower_is_better: bool
    cfg_options: Dict[str, Any]
    gpus: Optional[int]
    data: Dict[str, dict]


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
        raise FileNotFoundError(
            f'expected the file of a study, got {str(path)!r}, which does '
            'not exist')
    cfg = Config.fromfile(path).to_dict()
    _check_keys(path, cfg)
    rows = tuple(
        _read_row(path, index, row) for index, row in enumerate(cfg['rows']))
    _check_names(str(path), 'rows', [row.name for row in rows])
    optional = {key: cfg.get(key, OPTIONAL[key]) for key in OPTIONAL}
    _check_optional(path, **optional)
    return Study(path, cfg['title'], rows, cfg['metrics'], cfg['headline'],
                 **optional)


def folder_name(name: str) -> str:
    """Return the name of a row or test without blanks and special letters."""
    return re.sub(r'[^\w.-]+', '_', name)


def _check_keys(path: Path, cfg: dict) -> None:
    missing = [key for key in REQUIRED if key not in cfg]
    if missing:
        raise ValueError(f'{path}: expected {", ".join(REQUIRED)}, got no '
                         f'{", ".join(missing)}')
    known = [*REQUIRED, *OPTIONAL]
    # A study may define helpers of its own, but not misspell a key.
    for key in set(cfg) - set(known):
        close = get_close_matches(key, known, n=1, cutoff=0.8)
        if close:
            raise ValueError(f'{path}: expected {close[0]}, got {key}; '
                             'correct or rename it')
    if not isinstance(cfg['rows'], (list, tuple)) or not cfg['rows']:
        raise ValueError(f'{path}: expected rows to be a list of dicts, got '
                         f'{cfg["rows"]!r}')
    metrics = cfg['metrics']
    if not isinstance(metrics, dict) or cfg['headline'] not in metrics:
        raise ValueError(
            f'{path}: expected metrics to map columns to names of metrics '
            f'and headline to be a column, got {metrics!r} and '
            f'{cfg["headline"]!r}')


def _check_optional(path: Path, gpus: Any, data: Any, **_: Any) -> None:
    if gpus is not None and (type(gpus) is not int or gpus < 1):
        raise ValueError(f'{path}: expected gpus to be a number of GPUs, got '
                         f'{gpus!r}')
    if not isinstance(data, dict) or not all(
            isinstance(facts, dict) and set(facts) <= set(FACTS)
            for facts in data.values()):
        raise ValueError(f'{path}: expected data to map names of files and '
                         f'folders to dicts of {", ".join(FACTS)}, got '
                         f'{data!r}')


def _read_row(path: Path, index: int, row: dict) -> Row:
    if not isinstance(row, dict) or set(row) != set(ROW):
        raise ValueError(f'{path}: expected rows[{index}] to be a dict with '
                         f'{", ".join(ROW)}, got {row!r}')
    where = f'{path}: row {row["name"]!r}'
    seeds, tests = row['seeds'], row['tests']
    if (not isinstance(seeds, (list, tuple)) or not seeds
            or not all(type(seed) is int and seed >= 0 for seed in seeds)
            or len(set(seeds)) < len(seeds)):
        raise ValueError(f'{where}: expected seeds to be different integers '
                         f'of at least 0, e.g. (0, 1), got {seeds!r}')
    if (not isinstance(tests, dict) or not tests
            or not all(isinstance(test, dict) for test in tests.values())):
        raise ValueError(f'{where}: expected tests to map labels to '
                         f'cfg_options, e.g. {{"shift": {{}}}}, got {tests!r}')
    _check_names(where, 'tests', list(tests))
    config = _find_config(path, row['config'], where)
    return Row(row['name'], config, tuple(seeds), tests)


def _check_names(where: str, kind: str, names: Sequence[str]) -> None:
    """Refuse names that would share a folder."""
    folders = [folder_name(name) for name in names]
    double = sorted({name for name, folder in zip(names, folders)
                     if folders.count(folder) > 1})
    if double:
        raise ValueError(f'{where}: expected names of {kind} that differ in '
                         f'letters or digits, got {double}')


def _find_config(study: Path, config: str, where: str) -> Path:
    beside = study.parent / config
    if beside.is_file():
        return beside
    try:
        location = locate_config(config)
    except FileNotFoundError as err:
        raise FileNotFoundError(f'{where}: {err}') from err
    package, _, name = location.rpartition('::')
    if package not in ('', 'mmpose'):
        raise ValueError(f'{where}: expected a file, or a config of MMPose '
                         f'or srpose_mm, got {config!r}')
    path = MMPOSE_MIM / 'configs' / name if package else Path(location)
    if not path.is_file():
        raise FileNotFoundError(f'{where}: expected a config, got {config!r}, '
                                'which MMPose does not have')
    return path
