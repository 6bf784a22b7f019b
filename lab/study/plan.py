"""Plan the trainings and tests of a study."""
import copy
import os
from functools import partial
from pathlib import Path
from typing import (
    Any,
    Callable,
    Dict,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

from mmengine.config import Config, DictAction

from srpose_mm.configs import SRPOSE_MIM

from .launch import Launch, choose_launch
from .study_file import Row, Study, folder_name


class Test(NamedTuple):
    """A test of trained weights.

    Attributes:
        label: Name of the test in the table.
        options: ``cfg_options`` of the test.
        cfg: Config with all options.
        folder: Folder of the output.
    """

    label: str
    options: Dict[str, Any]
    cfg: Config
    folder: Path

    @property
    def metrics_file(self) -> Path:
        """Return the file that MMPose's test script writes at its end."""
        return self.folder / 'metrics.json'

    def command(self, config: Path, checkpoint: Path) -> List[str]:
        """Return the words after ``python``, relative to this process."""
        return [
            _script('test'), os.path.relpath(config),
            os.path.relpath(checkpoint), '--work-dir',
            os.path.relpath(self.folder), '--out',
            os.path.relpath(self.metrics_file), *_option_words(self.options)
        ]


class Run(NamedTuple):
    """A training of a row with one seed, and its tests.

    Attributes:
        row: The row.
        seed: The seed.
        options: ``cfg_options`` of the training without those of ``launch``.
        cfg: Config with these options.
        folder: Folder of the training.
        tests: The tests.
        launch: Processes and accumulated batches of the training.
    """

    row: Row
    seed: int
    options: Dict[str, Any]
    cfg: Config
    folder: Path
    tests: Tuple[Test, ...]
    launch: Launch

    def __str__(self) -> str:
        """Return the name of the run in messages."""
        return f'{self.row.name}, seed {self.seed}'

    def command(self, resume: bool = False) -> List[str]:
        """Return the words after ``python``, relative to this process."""
        launcher, arguments = [], []
        if self.launch.gpus > 1:
            launcher = ['-m', 'torch.distributed.run', '--standalone',
                        '--nproc_per_node', str(self.launch.gpus)]
            arguments = ['--launcher', 'pytorch']
        return [
            *launcher, _script('train'), os.path.relpath(self.row.config),
            *(['--resume'] if resume else []), '--work-dir',
            os.path.relpath(self.folder), *arguments,
            *_option_words({**self.options, **self.launch.options})
        ]


def plan_runs(study: Study,
              work_dir: Path,
              rows: Optional[Sequence[str]] = None,
              seeds: Optional[Sequence[int]] = None,
              cfg_options: Optional[Dict[str, Any]] = None,
              gpus: int = 1) -> List[Run]:
    """List the runs of a study: the first seed of all rows, then the second.

    Args:
        study: The study.
        work_dir: Folder of all runs.
        rows: Names of the rows to run. ``None`` means all.
        seeds: Seeds to run. ``None`` means all.
        cfg_options: Options of every run, which override those of the study.
        gpus: Processes of a training, see :func:`choose_launch`.

    Raises:
        ValueError: If a row or seed is not in the study, if options do not
            fit a config or a command line, or if the batch of a step would
            not be the recipe's.
    """
    known = {row.name: row for row in study.rows}
    for name in rows or ():
        if name not in known:
            raise ValueError(f'expected rows of {study.path}, '
                             f'{", ".join(known)}, got {name!r}')
    chosen = [row for row in study.rows if not rows or row.name in rows]
    for seed in seeds or ():
        if not any(seed in row.seeds for row in chosen):
            raise ValueError(f'expected seeds of {study.path}, got {seed}; '
                             'add it to the seeds of a row')
    options = {**study.cfg_options, **(cfg_options or {})}
    choose = partial(choose_launch, study, gpus)
    written = {row.name: Config.fromfile(row.config) for row in chosen}
    runs = [
        _plan_run(row, seed, work_dir, written[row.name], options, choose)
        for row in chosen for seed in row.seeds
        if not seeds or seed in seeds
    ]
    # If a study ends early, each row has been trained.
    return sorted(runs, key=lambda run: run.row.seeds.index(run.seed))


def _plan_run(row: Row, seed: int, work_dir: Path, written: Config,
              options: Dict[str, Any],
              choose: Callable[[Row, Config, Config], Launch]) -> Run:
    folder = work_dir / folder_name(row.name) / f'seed{seed}'
    tests = []
    for label, own in row.tests.items():
        merged = {**options, **own}
        tests.append(
            Test(label, merged, _merge(row, written, merged),
                 folder / f'test_{folder_name(label)}'))
    training = {**options, 'randomness.seed': seed}
    cfg = _merge(row, written, training)
    run = Run(row, seed, training, cfg, folder, tuple(tests),
              choose(row, written, cfg))
    # Fail now, not after hours, if a value has no form on a command line.
    run.command()
    for test in tests:
        test.command(row.config, folder)
    return run


def _merge(row: Row, cfg: Config, options: Dict[str, Any]) -> Config:
    merged = copy.deepcopy(cfg)
    try:
        merged.merge_from_dict(copy.deepcopy(options))
    except (KeyError, TypeError) as err:
        raise ValueError(f'row {row.name!r}: expected cfg_options that fit '
                         f'{row.config}, got {options} ({err})') from err
    return merged


def _script(name: str) -> str:
    """Return the path of ``tools/train.py`` or ``tools/test.py``."""
    return os.path.relpath((SRPOSE_MIM / 'tools' / f'{name}.py').resolve())


def _option_words(options: Dict[str, Any]) -> List[str]:
    words = [f'{key}={_word(key, value)}' for key, value in options.items()]
    return ['--cfg-options', *words] if words else []


def _word(key: str, value: Any) -> str:
    """Return a value as ``--cfg-options`` spells it."""
    text = str(value)
    if isinstance(value, (list, tuple)):
        # MMEngine's parser keeps quotes and drops blanks.
        text = text.replace("'", '').replace(' ', '')
    try:
        parsed = DictAction._parse_iterable(text)
    except AssertionError:  # unbalanced brackets
        parsed = None
    if parsed != value or type(parsed) is not type(value):
        raise ValueError(
            f'expected {key} to be a number, word, None, list or tuple '
            f'without blanks, which --cfg-options can express, got {value!r}; '
            f'write {key}.KEY for the keys of a dict, and put other values '
            'into the config')
    return text
