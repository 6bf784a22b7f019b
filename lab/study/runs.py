"""Train and test the runs of a study that are not done."""
import json
import os
import re
import shlex
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Union

import torch
from mmengine.runner import find_latest_checkpoint

from lab.machine import describe_machine, software_versions
from srpose_mm.apis import check_dataset, measure_complexity
from srpose_mm.console import get_logger

from .plan import Run, plan_runs
from .report import read_results, result_key, write_report, write_results
from .study_file import Study, read_study

ROOT = Path(__file__).resolve().parents[2]
STAMP = re.compile(r'^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - mmengine', re.M)
# The summary that torchrun prints after the output of a failure.
SUMMARY = re.compile(
    r'^[^\n]*torch[./]distributed[./]elastic[./]multiprocessing.*',
    re.M | re.S)
SPLITS = ('train', 'val', 'test')
LINES = 15  # of a log, in the message of a failure
PATIENCE = 60  # seconds between a request to end and a kill; torchrun needs 30


class RunFailed(Exception):
    """A training or test that failed."""


def run_study(path: Union[str, Path],
              work_dir: Union[str, Path],
              results: Optional[Union[str, Path]] = None,
              rows: Optional[Sequence[str]] = None,
              seeds: Optional[Sequence[int]] = None,
              cfg_options: Optional[Dict[str, Any]] = None,
              gpus: int = 1) -> List[str]:
    """Train and test the runs of a study that are not done.

    A test is done if its ``metrics.json`` exists in ``work_dir``, and a
    training if its last checkpoint does. A killed training resumes. On a CPU
    each process has one thread, unless ``OMP_NUM_THREADS`` is set.

    Args:
        path: The study's file, see :func:`read_study`.
        work_dir: Folder of all runs.
        results: JSON file of the results, see :func:`report_study`.
        rows: Names of the rows to run. ``None`` means all.
        seeds: Seeds to run. ``None`` means all.
        cfg_options: Options of every training and test.
        gpus: Processes of a training, see :func:`choose_launch`.

    Returns:
        The runs that failed, with the reasons.

    Raises:
        FileNotFoundError: If the study or a config does not exist.
        ValueError: If the study, an option or the data is wrong.
    """
    study = read_study(path)
    results = Path(results or study.path.parent / 'results.json')
    known = {result_key(record) for record in read_results(results)}
    runs = plan_runs(study, Path(work_dir), rows, seeds, cfg_options, gpus)
    pending = [
        run for run in runs if not all(
            test.metrics_file.is_file() and
            (run.row.name, run.seed, test.label) in known
            for test in run.tests)
    ]
    if study.check_data:
        _check_data(pending)
    logger, failed = get_logger(), []
    for number, run in enumerate(pending, 1):
        logger.info(f'[{number}/{len(pending)}] {run}, in {run.folder}')
        try:
            _train_and_test(run)
            records = _records(study, run)
        except RunFailed as err:
            logger.error(f'{run} failed: {err}')
            failed.append(f'{run}: {err}')
            continue
        write_results(results, records)
        write_report(study, results)
    return failed


def _check_data(runs: Sequence[Run]) -> None:
    """Check the datasets of the configs, each once."""
    configs, faults = {}, []
    for run in runs:
        loaders = (run.cfg[f'{split}_dataloader'] for split in SPLITS)
        configs[repr([{**loader.dataset, 'pipeline': None}
                      for loader in loaders])] = run.cfg
    for cfg in configs.values():
        for report in check_dataset(cfg, SPLITS):
            faults += [str(fault) for fault in report.faults
                       if fault.effect == 'stops']
    if faults:
        raise ValueError(
            f'expected complete data, got {len(faults)} faults that stop '
            f'MMPose, e.g. {faults[0]}; mim run srpose_mm check_dataset '
            'CONFIG lists all, docs/datasets.md names the sources')


def _train_and_test(run: Run) -> None:
    """Do what is not done of a run."""
    todo = [test for test in run.tests if not test.metrics_file.is_file()]
    if not todo:
        return
    try:
        for cfg in (run.cfg, *(test.cfg for test in todo)):
            measure_complexity(cfg)
    # A config may name any class, which may raise anything.
    except Exception as err:
        raise RunFailed(f'the model cannot be built: {err}') from err
    _train(run)
    for test in todo:
        test.folder.mkdir(exist_ok=True)
        _call(test.command(run.row.config, _last_checkpoint(run)),
              test.folder / 'test.log')


def _records(study: Study, run: Run) -> List[dict]:
    """Return a record for each test of a run that is done."""
    device = 'cuda' if torch.cuda.is_available() else 'cpu'
    shared = dict(
        training_seconds=_training_seconds(run.folder),
        epochs=run.cfg.train_cfg.get('max_epochs'),
        **measure_complexity(run.cfg)._asdict(),
        gpus=run.launch.gpus,
        accumulate=run.launch.accumulate,
        versions=software_versions(),
        machine=describe_machine(device, int(_threads())))
    records = []
    for test in run.tests:
        metrics = json.loads(test.metrics_file.read_text('utf-8'))
        missing = set(study.metrics.values()) - set(metrics)
        if missing:
            raise RunFailed(f'expected {", ".join(sorted(missing))} in '
                            f'{test.metrics_file}, got {", ".join(metrics)}; '
                            f'correct metrics in {study.path}')
        commands = [
            run.command(),
            test.command(run.row.config, _last_checkpoint(run))
        ]
        records.append(
            dict(
                row=run.row.name,
                seed=run.seed,
                test=test.label,
                metrics=metrics,
                **shared,
                commands=[
                    shlex.join(['python', *command]) for command in commands
                ]))
    return records


def _train(run: Run) -> None:
    """Train or resume, unless the checkpoint of the last epoch exists."""
    run.folder.mkdir(parents=True, exist_ok=True)
    epochs = run.cfg.train_cfg.get('max_epochs')
    if _last_checkpoint(run).name == f'epoch_{epochs}.pth':
        return
    # Without a checkpoint, --resume would ignore the config's load_from.
    resume = any(run.folder.glob('*.pth'))
    _call(run.command(resume), run.folder / 'train.log')
    if not _last_checkpoint(run).is_file():
        raise RunFailed(f'the training wrote no checkpoint to {run.folder}; '
                        'its config needs a CheckpointHook that saves at '
                        'the end')


def _last_checkpoint(run: Run) -> Path:
    latest = find_latest_checkpoint(str(run.folder))
    # MMEngine records a path of the machine that trained.
    return run.folder / Path(latest or 'no_checkpoint').name


def _training_seconds(folder: Path) -> float:
    """Sum up the times of a training and its resumptions from their logs."""
    seconds = 0.
    for log in folder.glob('*/*.log'):
        # The logs of tests are one folder deeper.
        if log.stem == log.parent.name:
            times = [datetime.strptime(stamp, '%Y/%m/%d %H:%M:%S')
                     for stamp in STAMP.findall(
                         log.read_text('utf-8', 'replace'))]
            if times:
                seconds += (times[-1] - times[0]).total_seconds()
    return seconds


def _threads() -> str:
    """Return the threads of a process on a CPU."""
    return os.environ.get('OMP_NUM_THREADS') or '1'


def _call(words: List[str], log: Path) -> None:
    """Run a Python script in a process that ends with this one.

    Args:
        words: The script and its arguments.
        log: File to which the output is appended.

    Raises:
        RunFailed: If the script fails. The message ends with its last lines.
    """
    # Configs may import modules of lab.
    env = dict(os.environ, PYTHONPATH=os.pathsep.join(
        [str(ROOT), *filter(None, [os.environ.get('PYTHONPATH')])]))
    if not torch.cuda.is_available():
        env['OMP_NUM_THREADS'] = _threads()
    with log.open('ab') as stream:
        start = stream.tell()
        process = subprocess.Popen(
            [sys.executable, *words], stdin=subprocess.DEVNULL, stdout=stream,
            stderr=subprocess.STDOUT, env=env)
        try:
            code = process.wait()
        finally:
            process.terminate()
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
    if code:
        text = log.read_bytes()[start:].decode('utf-8', 'replace')
        lines = SUMMARY.sub('', text).splitlines()[-LINES:]
        script = next(word for word in words if word.endswith('.py'))
        raise RunFailed(f'{script} ended with code {code}; the end of '
                        f'{log}:\n' + '\n'.join(lines))
