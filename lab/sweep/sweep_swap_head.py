from pathlib import Path
from tempfile import TemporaryDirectory
from time import time
from typing import Callable, Dict, Iterable, List, Optional, Sequence

from mmengine.config import Config
from mmengine.utils import track_iter_progress
from tabulate import tabulate

from srpose_mm.configs import MMPOSE_MIM, load_config, locate_config, type_name
from srpose_mm.swap import SwapRefused
from srpose_mm.swap.features import build_shapes
from srpose_mm.swap.schemes import SCHEMES
from srpose_mm.swap.swap_head import swap_head
from srpose_mm.swap.write_config import same_config, write_config

from .trial import run_once

OWNER = 'sweep_swap_head'
STEPS = ('converted', 'reloaded', 'built', 'ran')
OUTCOMES = ('refused', 'stock fails', 'failed')


def stock_configs(words: Sequence[str] = ()) -> List[str]:
    """Names of the configs that MMPose installs.

    Args:
        words: Only those with one of these words in ``mmpose::PATH``; none
            takes all.
    """
    folder = MMPOSE_MIM / 'configs'
    names = [
        f'mmpose::{path.relative_to(folder).as_posix()}'
        for path in sorted(folder.rglob('*.py')) if '_base_' not in path.parts
    ]
    return [
        name for name in names
        if not words or any(word in name for word in words)
    ]


def sweep_swap_head(configs: Iterable[str],
                    schemes: Sequence[str] = tuple(SCHEMES),
                    run: bool = True,
                    progress: bool = False) -> List[dict]:
    """Swap the head of many configs and see how far each gets.

    Each is converted, written, reloaded and built; one training step and one
    decode run for each distinct combination of scheme, backbone, neck, input
    size and codec, and count for all configs that share it.

    Args:
        configs: Names as :func:`stock_configs` gives them, or files.
        schemes: As for :func:`swap_head`.
        run: Whether to train and decode, which is most of the time.
        progress: Whether to show a progress bar.

    Returns:
        For each config and scheme ``config``, ``scheme``, ``head`` (without
        one the estimator) and ``backbone`` of the stock model, ``passed``
        (steps), ``reached`` (the last of them, ``'refused'``,
        ``'stock fails'`` where the stock config cannot be built either, or
        ``'failed'``), ``reason``, ``unused`` (parameters that no loss
        reaches) and ``seconds``.
    """
    tasks = [(config, scheme) for scheme in schemes for config in configs]
    if progress:
        tasks = track_iter_progress(tasks)
    cache: Dict[str, list] = {}
    trial = run_once if run else None
    return [_try(config, scheme, trial, cache) for config, scheme in tasks]


def sweep_summary(records: List[dict]) -> str:
    """A sweep's numbers by scheme and stock head, and why some stopped.

    Args:
        records: What :func:`sweep_swap_head` returned.

    Returns:
        Tables in Markdown.
    """
    counts: Dict[tuple, Dict[str, int]] = {}
    reasons: Dict[tuple, int] = {}
    for record in records:
        key = record['scheme'], record['head']
        count = counts.setdefault(
            key, dict.fromkeys(('configs', *STEPS, *OUTCOMES), 0))
        count['configs'] += 1
        for step in STEPS:
            count[step] += step in record['passed']
        if record['reason']:
            count[record['reached']] += 1
            reason = record['scheme'], record['reached'], record['reason']
            reasons[reason] = reasons.get(reason, 0) + 1
    rows = [[scheme, head, *count.values()]
            for (scheme, head), count in sorted(counts.items())]
    headers = ['scheme', 'stock head', 'configs', *STEPS, *OUTCOMES]
    tables = [tabulate(rows, headers=headers, tablefmt='github')]
    if reasons:
        rows = [[*key[:2], number, key[2]]
                for key, number in sorted(reasons.items())]
        tables.append(
            tabulate(
                rows,
                headers=['scheme', 'outcome', 'configs', 'reason'],
                tablefmt='github'))
    return '\n\n'.join(tables)


def _try(config: str, scheme: str, trial: Optional[Callable],
         cache: Dict[str, list]) -> dict:
    """How far one config gets."""
    start = time()
    record = dict(
        config=config, scheme=scheme, head='', backbone='', passed=[],
        reached='failed', reason='', unused=[])
    try:
        _pass_steps(record, trial, cache)
        record['reached'] = record['passed'][-1]
    except SwapRefused as err:
        record.update(reached='refused', reason=str(err))
    # Whatever it is, it belongs into the report and the sweep goes on.
    except Exception as err:
        record['reason'] = _first_line(err)
        stock = _stock_problem(config)
        if stock is not None:
            record.update(
                reached='stock fails',
                reason=f'the stock config fails by itself: {stock}')
    record['seconds'] = round(time() - start, 2)
    return record


def _pass_steps(record: dict, trial: Optional[Callable],
                cache: Dict[str, list]) -> None:
    """Do one step after another and note those that passed."""
    stock = load_config(record['config'])
    record['head'] = type_name(stock.model.get('head') or stock.model)
    record['backbone'] = type_name(stock.model.get('backbone') or {})
    cfg = swap_head(stock, record['scheme'])
    record['passed'].append('converted')
    cfg = _reload(cfg, record['config'])
    record['passed'].append('reloaded')
    build_shapes(cfg.model)
    record['passed'].append('built')
    if trial is None:
        return
    key = _combination(cfg)
    if key not in cache:
        cache[key] = trial(cfg)
    record['unused'] = cache[key]
    record['passed'].append('ran')


def _reload(cfg: Config, base: str) -> Config:
    """The config as the file that users get gives it back."""
    with TemporaryDirectory() as folder:
        out = Path(folder) / 'swapped.py'
        write_config(cfg, locate_config(base), out, 'sweep')
        again = Config.fromfile(out)
    if not same_config(again, cfg):
        raise RuntimeError('the written config differs from the swapped one')
    return again


def _combination(cfg: Config) -> str:
    """What the models of a distinct combination have in common."""
    model = cfg.model
    codec = {k: v for k, v in cfg.codec.items() if k != 'sigma'}
    parts = [model.backbone, model.get('neck'), codec, model.head.type]
    return repr([getattr(part, 'to_dict', lambda p=part: p)()
                 for part in parts])


def _stock_problem(config: str) -> Optional[str]:
    """Why the stock config cannot be loaded or built; None if it can."""
    try:
        build_shapes(load_config(config).model)
    except Exception as err:
        return _first_line(err)
    return None


def _first_line(err: Exception) -> str:
    text = str(err.args[0] if err.args else err).strip()
    text = text.splitlines()[0] if text else ''
    text = text.replace(str(MMPOSE_MIM.parent), 'mmpose')
    return f'{type(err).__name__}: {text}'
