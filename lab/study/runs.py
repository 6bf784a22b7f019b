import json
import shlex
import shutil
import time
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Union

from srpose_mm.deploy.complexity import Complexity, complexity

from .data_check import check_data
from .ledger import Ledger
from .locks import locked
from .machine import machine, study_versions
from .plan import Run, Test, plan_runs
from .processes import RunFailed, call
from .report import write_report
from .study_file import Study, read_study
from .training import (
    begun_otherwise,
    is_foreign,
    latest_checkpoint,
    train,
    training_seconds,
)


def run_study(path: Union[str, Path],
              work_dir: Union[str, Path],
              results: Optional[Union[str, Path]] = None,
              rows: Optional[Sequence[str]] = None,
              seeds: Optional[Sequence[int]] = None,
              cfg_options: Optional[Dict[str, Any]] = None,
              again: bool = False,
              tell: Callable[[str], None] = lambda line: None,
              gpus: int = 1,
              accumulate: Optional[int] = None) -> List[str]:
    """Train and test what a study lists and is not done yet.

    A run that is finished is not repeated, one that was killed goes on from
    its last checkpoint. Several processes may work on one study.

    Args:
        path: The study's file, see :func:`read_study`.
        work_dir: Folder for the trainings.
        results: JSON file of the results, beside which the report is
            written; ``None`` takes ``results.json`` beside the study.
        rows: Only the rows with these names.
        seeds: Only these seeds.
        cfg_options: For every training and test.
        again: Forget what is there of ``rows``, which must be given, and run
            them anew.
        tell: Is told of each step in a line.
        gpus: Processes of each training, see :func:`choose_launch`; tests
            have one.
        accumulate: Batches of each training step, likewise.

    Returns:
        The runs that failed, as text.

    Raises:
        FileNotFoundError: If the study or a config is not there.
        ValueError: If the study, the options or the results do not fit, if
            results or half-done trainings are of another config, or if data
            are missing.
    """
    study = read_study(path)
    ledger = Ledger(results or study.path.parent / 'results.json')
    runs = plan_runs(study, Path(work_dir), rows, seeds, cfg_options, gpus,
                     accumulate)
    if again and not rows:
        raise ValueError('study: expected names of rows to run again, got '
                         'none; say which, after --rows')
    known = ledger.by_key()
    # Before anything is thrown away.
    check_data(study, [
        run for run in runs
        if again or any(_key(run, test) not in known for test in run.tests)
    ])
    if again:
        _forget(runs, ledger)
    _check_digests(runs, ledger)
    failed, busy, start = [], [], time.monotonic()
    for number, run in enumerate(runs, 1):
        tell_run = partial(_tell_run, tell, start,
                           f'[{number}/{len(runs)}] {run}')
        ended = _one_run(study, run, ledger, tell_run, wait=False)
        if ended is None:
            busy.append((run, tell_run))
        elif not ended:
            failed.append(str(run))
    for run, tell_run in busy:
        if not _one_run(study, run, ledger, tell_run, wait=True):
            failed.append(str(run))
    return failed


def _tell_run(tell: Callable[[str], None], start: float, run: str,
              line: str) -> None:
    passed = timedelta(seconds=round(time.monotonic() - start))
    tell(f'{run}, after {passed}: {line}')


def _forget(runs: List[Run], ledger: Ledger) -> None:
    for run in runs:
        run.folder.mkdir(parents=True, exist_ok=True)
        with locked(run.folder, wait=False) as lock:
            if lock is None:
                raise ValueError(f'study: expected nobody in {run.folder}, '
                                 'got another process; wait or end it')
            ledger.remove([_key(run, test) for test in run.tests])
            shutil.rmtree(run.folder)


def _check_digests(runs: List[Run], ledger: Ledger) -> None:
    """Refuse to mix results of two configs under one name."""
    known = ledger.by_key()
    changed = {
        run.row.name
        for run in runs for test in run.tests
        if _key(run, test) in known
        and known[_key(run, test)]['digests'] != run.digests(test)
    }
    changed |= {run.row.name for run in runs if is_foreign(run)}
    if changed:
        names = ' '.join(shlex.quote(name) for name in sorted(changed))
        raise ValueError(
            'study: expected the configs and options of the results and '
            f'trainings that are there, got others for {names}; undo the '
            f'change, or run them anew with --again --rows {names}')
    for run in runs:
        begun = begun_otherwise(run)
        if begun is not None:
            raise ValueError(
                f'study: expected {begun}, with which the training in '
                f'{run.folder} was begun, got {run.launch}; end it as it was '
                'begun, or run it anew with --again --rows '
                f'{shlex.quote(run.row.name)}')


def _one_run(study: Study, run: Run, ledger: Ledger,
             tell: Callable[[str], None], wait: bool) -> Optional[bool]:
    """Whether it ended well; ``None`` if another process does it."""
    run.folder.mkdir(parents=True, exist_ok=True)
    if wait:
        tell('waiting for the process that does it')
    with locked(run.folder, wait) as lock:
        if lock is None:
            tell('another process does it')
            return None
        known = ledger.by_key()
        tests = [test for test in run.tests if _key(run, test) not in known]
        if not tests:
            tell('finished before')
            return True
        try:
            _train_and_test(study, run, tests, ledger, tell, lock)
        except RunFailed as err:
            tell(f'failed, {err}')
            return False
    write_report(study, ledger)
    return True


def _train_and_test(study: Study, run: Run, tests: List[Test], ledger: Ledger,
                    tell: Callable[[str], None], lock: int) -> None:
    size = _check_models(run)
    tell(f'training, see {run.folder / "train.log"}')
    train(run, lock)
    seconds = training_seconds(run.folder)
    checkpoint = latest_checkpoint(run.folder)
    for test in tests:
        words = test.command(run.row.config, checkpoint)
        metrics = _test(study, test, words, lock)
        ledger.add(
            dict(
                row=run.row.name,
                seed=run.seed,
                test=test.label,
                metrics=metrics,
                training_seconds=seconds,
                epochs=run.cfg.train_cfg.get('max_epochs'),
                **size._asdict(),
                **run.launch.facts,
                commands=[
                    shlex.join(['python', *command])
                    for command in (run.command(), words)
                ],
                digests=run.digests(test),
                versions=study_versions(),
                machine=machine()))
        figures = ', '.join(f'{column} {metrics[key]:.4g}'
                            for column, key in study.metrics.items())
        tell(f'{test.label}: {figures}')


def _check_models(run: Run) -> Complexity:
    """Build each model before hours are spent on the training."""
    try:
        for test in run.tests:
            complexity(test.cfg)
        return complexity(run.cfg)
    # Whatever the classes that a config names raise.
    except Exception as err:
        raise RunFailed(f'its model cannot be built: {err}') from err


def _test(study: Study, test: Test, words: List[str], lock: int) -> dict:
    test.folder.mkdir(exist_ok=True)
    test.metrics_file.unlink(missing_ok=True)
    call(words, test.folder / 'test.log', lock)
    metrics = json.loads(test.metrics_file.read_text('utf-8'))
    missing = set(study.metrics.values()) - set(metrics)
    if missing:
        raise RunFailed(
            f'expected the test to give {", ".join(sorted(missing))}, got '
            f'{", ".join(metrics)}; correct metrics in {study.path}')
    return metrics


def _key(run: Run, test: Test):
    return run.row.name, run.seed, test.label
