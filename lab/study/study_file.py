from difflib import get_close_matches
from pathlib import Path
from typing import Any, Dict, NamedTuple, Optional, Sequence, Tuple, Union

from mmengine.config import Config

from srpose_mm.configs import MMPOSE_MIM, locate_config

from .names import file_name

REQUIRED = ('title', 'rows', 'metrics', 'headline')
OPTIONAL = dict(lower_is_better=False, cfg_options={}, gpus=None, data={})
FACTS = ('images', 'annotations', 'source')
ROW = ('name', 'config', 'seeds', 'tests')


class Row(NamedTuple):
    """A training that a study does once for each seed.

    ``tests`` maps a label to the ``cfg_options`` with which the trained
    weights are tested.
    """

    name: str
    config: Path
    seeds: Tuple[int, ...]
    tests: Dict[str, dict]


class Study(NamedTuple):
    """What a study's file says.

    ``metrics`` maps the head of a column to the key of its metric in what
    MMPose's test script writes; ``headline`` is the one that the picture
    shows. ``gpus`` is for how many the batches of the configs are meant,
    ``None`` for those that the study is run with. ``data`` maps names of files
    and folders to what is known of them: how many ``images`` and
    ``annotations`` they hold, their ``source``.
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
        path: A config of MMEngine with ``title``, ``rows``, ``metrics`` and
            ``headline``, and perhaps ``lower_is_better``, ``cfg_options``,
            ``gpus`` and ``data``. Configs of rows are relative to it, or
            what :func:`locate_config` finds.

    Returns:
        The study.

    Raises:
        FileNotFoundError: If the file or a row's config is not there.
        ValueError: If the file says something else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'study: expected a study, got {str(path)!r}, '
                                'where there is no file')
    cfg = Config.fromfile(path).to_dict()
    _check_keys(path, cfg)
    rows = tuple(_row(path, index, row) for index, row in
                 enumerate(cfg['rows']))
    _check_names(path, 'rows', [row.name for row in rows])
    metrics = cfg['metrics']
    if not isinstance(metrics, dict) or not metrics:
        raise ValueError(f'{path}: expected metrics to map heads of columns '
                         f'to keys of metrics, got {metrics!r}')
    if cfg['headline'] not in metrics:
        raise ValueError(f'{path}: expected headline to be one of metrics, '
                         f'{", ".join(metrics)}, got {cfg["headline"]!r}')
    optional = {key: cfg.get(key, OPTIONAL[key]) for key in OPTIONAL}
    _check_optional(path, optional)
    return Study(path, cfg['title'], rows, metrics, cfg['headline'],
                 **optional)


def _check_keys(path: Path, cfg: dict) -> None:
    missing = [key for key in REQUIRED if key not in cfg]
    if missing:
        raise ValueError(f'{path}: expected a study with '
                         f'{", ".join(REQUIRED)}, got one without '
                         f'{", ".join(missing)}')
    known = [*REQUIRED, *OPTIONAL]
    # Names of its own help to write a study, unless they are slips.
    for key in set(cfg) - set(known):
        close = get_close_matches(key, known, n=1, cutoff=0.8)
        if close:
            raise ValueError(f'{path}: expected no name that looks like '
                             f'{close[0]}, got {key}; correct or rename it')
    if not isinstance(cfg['rows'], (list, tuple)) or not cfg['rows']:
        raise ValueError(f'{path}: expected rows to be a list of dicts, got '
                         f'{cfg["rows"]!r}')


def _check_optional(path: Path, optional: dict) -> None:
    gpus, data = optional['gpus'], optional['data']
    if gpus is not None and (type(gpus) is not int or gpus < 1):
        raise ValueError(f'{path}: expected gpus to be a number of GPUs, got '
                         f'{gpus!r}')
    if not isinstance(data, dict) or not all(
            isinstance(facts, dict) and set(facts) <= set(FACTS)
            for facts in data.values()):
        raise ValueError(f'{path}: expected data to map names of files and '
                         f'folders to dicts of {", ".join(FACTS)}, got '
                         f'{data!r}')


def _row(path: Path, index: int, row: dict) -> Row:
    if not isinstance(row, dict) or set(row) != set(ROW):
        raise ValueError(f'{path}: expected rows[{index}] to be a dict with '
                         f'{", ".join(ROW)}, got {row!r}')
    where = f'{path}: row {row["name"]!r}'
    seeds, tests = row['seeds'], row['tests']
    if (not isinstance(seeds, (list, tuple)) or not seeds
            or not all(type(seed) is int and seed >= 0 for seed in seeds)
            or len(set(seeds)) < len(seeds)):
        raise ValueError(f'{where}: expected seeds to be different integers '
                         f'of 0 or more, as (0, 1), got {seeds!r}')
    if (not isinstance(tests, dict) or not tests
            or not all(isinstance(test, dict) for test in tests.values())):
        raise ValueError(f'{where}: expected tests to map labels to '
                         f'cfg_options, as {{"shift": {{}}}}, got {tests!r}')
    _check_names(where, 'tests', list(tests))
    config = _find_config(path, row['config'], where)
    return Row(row['name'], config, tuple(seeds), tests)


def _check_names(where: Union[str, Path], what: str,
                 names: Sequence[str]) -> None:
    """Names become folders, which must differ."""
    folders = [file_name(name) for name in names]
    double = {name for name, folder in zip(names, folders)
              if folders.count(folder) > 1}
    if double:
        raise ValueError(f'{where}: expected names of {what} that differ in '
                         f'letters or digits, got {sorted(double)}')


def _find_config(study: Path, config: str, where: str) -> Path:
    beside = study.parent / config
    if beside.is_file():
        return beside
    location = locate_config(config)
    package, _, name = location.rpartition('::')
    if package not in ('', 'mmpose'):
        raise ValueError(f'{where}: expected a config of MMPose, of '
                         f'srpose_mm or a file, got {config!r}')
    found = MMPOSE_MIM / 'configs' / name if package else Path(location)
    if not found.is_file():
        raise FileNotFoundError(f'{where}: expected a config, got {config!r}, '
                                'which MMPose does not have')
    return found
