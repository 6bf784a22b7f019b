"""Swap the heads of many configs and record how far each gets."""
from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Dict, Iterable, List, Sequence

import pandas as pd
from mmengine.config import Config

from srpose_mm.apis import SwapRefused, swap_head
from srpose_mm.configs import MMPOSE_MIM, load_config, locate_config, type_name
from srpose_mm.console import progress
from srpose_mm.swap.features import build_on_meta
from srpose_mm.swap.write_config import write_config

from .trial import run_once

STEPS = ['converted', 'built', 'ran']
OUTCOMES = ['refused', 'stock fails', 'failed']


def stock_configs(words: Sequence[str] = ()) -> List[str]:
    """List the configs that MMPose installs.

    Args:
        words: Words of which ``mmpose::PATH`` must contain one. An empty
            sequence means all configs.
    """
    folder = MMPOSE_MIM / 'configs'
    names = [
        f'mmpose::{path.relative_to(folder).as_posix()}'
        for path in sorted(folder.rglob('*.py')) if '_base_' not in path.parts
    ]
    return [name for name in names
            if not words or any(word in name for word in words)]


def sweep_heads(configs: Iterable[str],
                schemes: Sequence[str] = ('sr', 'srpose'),
                run: bool = True) -> List[dict]:
    """Swap the head of many configs and record how far each gets.

    Each swapped config is written, read and built. A training step and a
    decoding run once for each distinct combination of scheme, backbone, neck,
    input size and codec, and count for all configs that share it.

    Args:
        configs: Names of :func:`stock_configs`, or files.
        schemes: Schemes of :func:`swap_head`.
        run: Whether to train and decode, which needs most of the time.

    Returns:
        For each config and scheme ``config``, ``scheme``, ``head`` (or the
        estimator) and ``backbone`` of the stock model, the ``passed`` steps,
        ``reached`` (the last step, ``'refused'``, ``'stock fails'`` if the
        stock config cannot be built either, or ``'failed'``), ``reason``,
        ``unused`` (parameters without a gradient) and ``seconds``.
    """
    tasks = [(config, scheme) for scheme in schemes for config in configs]
    cache: Dict[str, list] = {}
    return [_try(config, scheme, run, cache)
            for config, scheme in progress(tasks, 'swapping')]


def sweep_summary(records: List[dict]) -> str:
    """Count the records by scheme and stock head, and list the reasons.

    Args:
        records: The records of :func:`sweep_heads`.

    Returns:
        Tables in Markdown.
    """
    frame = pd.DataFrame(records)
    for step in STEPS:
        frame[step] = [step in passed for passed in frame.passed]
    for outcome in OUTCOMES:
        frame[outcome] = frame.reached == outcome
    groups = frame.groupby(['scheme', 'head'])
    counts = groups[STEPS + OUTCOMES].sum()
    counts.insert(0, 'configs', groups.size())
    tables = [counts]
    stopped = frame[frame.reason != '']
    if len(stopped):
        reasons = stopped.groupby(['scheme', 'reached', 'reason']).size()
        tables.append(reasons.rename('configs'))
    return '\n\n'.join(
        table.reset_index().to_markdown(index=False, tablefmt='github')
        for table in tables)


def _try(config: str, scheme: str, run: bool, cache: Dict[str, list]) -> dict:
    """Return the record of a config."""
    start = time()
    record = dict(
        config=config, scheme=scheme, head='', backbone='', passed=[],
        reached='failed', reason='', unused=[])
    try:
        _pass_steps(record, run, cache)
        record['reached'] = record['passed'][-1]
    except SwapRefused as err:
        record.update(reached='refused', reason=str(err))
    # Any error belongs into the report, and the sweep continues.
    except Exception as err:
        record['reason'] = _first_line(err)
        try:
            build_on_meta(load_config(config).model)
        except Exception as stock:
            record.update(reached='stock fails', reason='the stock config '
                          f'fails without a swap: {_first_line(stock)}')
    record['seconds'] = round(time() - start, 2)
    return record


def _pass_steps(record: dict, run: bool, cache: Dict[str, list]) -> None:
    """Do one step after another and record those that pass."""
    stock = load_config(record['config'])
    record['head'] = type_name(stock.model.get('head') or stock.model)
    record['backbone'] = type_name(stock.model.get('backbone') or {})
    cfg = swap_head(stock, record['scheme'])
    with TemporaryDirectory() as folder:
        out = Path(folder) / 'swapped.py'
        # write_config fails if the file reads back as another config.
        write_config(cfg, locate_config(record['config']), out, 'sweep')
        cfg = Config.fromfile(out)
    record['passed'].append('converted')
    build_on_meta(cfg.model)
    record['passed'].append('built')
    if run:
        codec = {k: v for k, v in cfg.codec.items() if k != 'sigma'}
        model = cfg.model.to_dict()
        key = repr([model['backbone'], model.get('neck'), codec,
                    model['head']['type']])
        if key not in cache:
            cache[key] = run_once(cfg)
        record['unused'] = cache[key]
        record['passed'].append('ran')


def _first_line(err: Exception) -> str:
    text = str(err.args[0] if err.args else err).strip()
    text = text.splitlines()[0] if text else ''
    text = text.replace(str(MMPOSE_MIM.parent), 'mmpose')
    return f'{type(err).__name__}: {text}'
