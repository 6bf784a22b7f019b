import copy
import hashlib
import json
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

from mmengine.config import Config

from .launch import Launch, choose_launch
from .names import file_name, option_words, relative, script
from .study_file import Row, Study

# They say where a training runs and what it writes, not what comes out.
ELSEWHERE = ('work_dir', 'launcher', 'resume', 'log_level', 'log_processor',
             'vis_backends', 'visualizer')
OUTPUT_HOOKS = ('logger', 'checkpoint', 'visualization', 'timer', 'badcase',
                'end_workers', 'check_dataset')


class Test(NamedTuple):
    """A test of trained weights, under a label."""

    label: str
    options: Dict[str, Any]
    cfg: Config
    folder: Path

    def command(self, config: Path, checkpoint: Path) -> List[str]:
        """Words after ``python``, from where this process runs."""
        return [
            script('test'), relative(config), relative(checkpoint),
            '--work-dir', relative(self.folder), '--out',
            relative(self.metrics_file),
            *option_words(self.options, f'test {self.label!r}')
        ]

    @property
    def metrics_file(self) -> Path:
        """Where MMPose's script writes the metrics."""
        return self.folder / 'metrics.json'


class Run(NamedTuple):
    """A row with one of its seeds: a training and its tests.

    ``cfg`` is that of the recipe; what ``launch`` adds to it is not in it.
    """

    row: Row
    seed: int
    options: Dict[str, Any]
    cfg: Config
    folder: Path
    tests: Tuple[Test, ...]
    launch: Launch

    def __str__(self) -> str:
        return f'{self.row.name}, seed {self.seed}'

    def command(self, resume: bool = False) -> List[str]:
        """Words of the training after ``python``."""
        options = {**self.options, **self.launch.options}
        return [
            *self.launch.launcher, script('train'), relative(self.row.config),
            *(['--resume'] if resume else []), '--work-dir',
            relative(self.folder), *self.launch.arguments,
            *option_words(options, f'row {self.row.name!r}')
        ]

    def digests(self, test: Test) -> Dict[str, str]:
        """What the configs of training and test say, in short."""
        return dict(training=digest(self.cfg), testing=digest(test.cfg))


def digest(cfg: Config) -> str:
    """A short sum of all in a config that can change a result."""
    values = {key: value for key, value in cfg.to_dict().items()
              if key not in ELSEWHERE}
    values['default_hooks'] = {
        name: hook
        for name, hook in (values.get('default_hooks') or {}).items()
        if name not in OUTPUT_HOOKS
    }
    # Classes have no form in JSON but their names.
    text = json.dumps(
        values,
        sort_keys=True,
        default=lambda value: getattr(value, '__qualname__', str(value)))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def plan_runs(study: Study,
              work_dir: Path,
              rows: Optional[Sequence[str]] = None,
              seeds: Optional[Sequence[int]] = None,
              cfg_options: Optional[Dict[str, Any]] = None,
              gpus: int = 1,
              accumulate: Optional[int] = None) -> List[Run]:
    """The runs of a study, in its order, the first seeds of all rows first.

    Args:
        study: The study.
        work_dir: Folder of all runs.
        rows: Names of rows; ``None`` takes all.
        seeds: Only these; ``None`` takes all.
        cfg_options: For every run, over those of the study.
        gpus: Processes of a training, see :func:`choose_launch`.
        accumulate: Batches of a training step, likewise.

    Returns:
        The runs, with their configs loaded and all options merged.

    Raises:
        ValueError: If a row or seed is not in the study, if options do not
            fit a config, or if another batch than the recipe's would come
            out.
    """
    chosen = _choose_rows(study, rows)
    for seed in seeds or ():
        if not any(seed in row.seeds for row in chosen):
            raise ValueError(
                f'study: expected seeds of '
                f'{", ".join(row.name for row in chosen)} in {study.path}, '
                f'got {seed}; add it to the seeds of a row')
    options = {**study.cfg_options, **(cfg_options or {})}
    choose = partial(choose_launch, study, gpus, accumulate)
    runs = [
        run for row in chosen
        for run in _runs_of(row, work_dir, options, seeds, choose)
    ]
    # A study that ends too early has all rows once.
    return sorted(runs, key=lambda run: run.row.seeds.index(run.seed))


def _choose_rows(study: Study, names: Optional[Sequence[str]]) -> List[Row]:
    known = {row.name: row for row in study.rows}
    for name in names or ():
        if name not in known:
            raise ValueError(f'study: expected rows of {study.path}, '
                             f'{", ".join(known)}, got {name!r}')
    return [row for row in study.rows if not names or row.name in names]


def _runs_of(row: Row, work_dir: Path, options: Dict[str, Any],
             seeds: Optional[Sequence[int]],
             choose: Callable[[Row, Config, Config], Launch]) -> List[Run]:
    cfg = Config.fromfile(row.config)
    runs = []
    for seed in row.seeds:
        if seeds and seed not in seeds:
            continue
        folder = work_dir / file_name(row.name) / f'seed{seed}'
        training = {**options, 'randomness.seed': seed}
        tests = []
        for label, own in row.tests.items():
            testing = {**options, **own}
            tests.append(
                Test(label, testing, _merged(row, cfg, testing),
                     folder / f'test_{file_name(label)}'))
        merged = _merged(row, cfg, training)
        run = Run(row, seed, training, merged, folder, tuple(tests),
                  choose(row, cfg, merged))
        # What has no form on a command line is refused before hours pass.
        run.command()
        for test in tests:
            test.command(row.config, folder / 'checkpoint')
        runs.append(run)
    return runs


def _merged(row: Row, cfg: Config, options: Dict[str, Any]) -> Config:
    merged = copy.deepcopy(cfg)
    try:
        merged.merge_from_dict(copy.deepcopy(options))
    except (KeyError, TypeError) as err:
        raise ValueError(f'row {row.name!r}: expected cfg_options that fit '
                         f'{row.config}, got {options} ({err})') from err
    return merged
