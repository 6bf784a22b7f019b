"""Random faults: what check_dataset does not report does no harm."""
import copy
import os
import random

import pytest
import torch

from srpose_mm.check_data import check_dataset

from ..support.bad_data import (
    FILE,
    INF,
    NAN,
    SCHEMES,
    TARGETS,
    build,
    valid_content,
    write,
)
from ..support.checked import config

# More than the quick number: SRPOSE_MM_EXAMPLES=2000 python -m pytest ...
EXAMPLES = int(os.environ.get('SRPOSE_MM_EXAMPLES', 60))
JUNK = (None, True, -1, 0, 1, 2, 17, 3.7, 1e30, -1e30, NAN, INF, -INF, '',
        'x', '1', [], {}, [1], [[]], dict(a=1), 99, 10, -5, 64, 65, 40000)


def paths(value, before=()):
    """Yield the keys on the way to each value of a file."""
    if isinstance(value, (dict, list)):
        keys = value if isinstance(value, dict) else range(len(value))
        for key in keys:
            yield (*before, key)
            yield from paths(value[key], (*before, key))


def add_faults(content, rng):
    """Change, remove or repeat one to three values; return their paths."""
    done = []
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        found = list(paths(content))
        if rng.random() < 0.6:
            found = [way for way in found if len(way) <= 3]
        way = rng.choice(found or [()])
        if not way:
            break
        holder = content
        for key in way[:-1]:
            holder = holder[key]
        chance = rng.random()
        if chance < 0.15:
            del holder[way[-1]]
        elif chance < 0.25 and isinstance(holder, list):
            holder.append(copy.deepcopy(holder[way[-1]]))
        else:
            holder[way[-1]] = copy.deepcopy(rng.choice(JUNK))
        done.append(way)
    return done


def load_all(folder, scheme, target):
    """Load all samples; return the error if there is one."""
    try:
        dataset = build(folder, scheme, target)
        samples = [dataset[i]['data_samples'] for i in range(len(dataset))]
    except Exception as err:
        return repr(err)
    for sample in samples:
        labels = dict(sample.gt_instance_labels.items())
        if 'gt_fields' in sample:
            labels.update(sample.gt_fields.items())
        labels.pop('encoder')  # no tensor
        for name, values in labels.items():
            assert torch.isfinite(values.float()).all(), name
    return None


@pytest.mark.slow
def test_random_faults(tmp_path):
    """Faults that stop MMPose are reported; no target is ever NaN."""
    original = valid_content(tmp_path)
    stopped = 0
    for number in range(EXAMPLES):
        rng = random.Random(number)
        content = copy.deepcopy(original)
        done = add_faults(content, rng)
        write(tmp_path, content)
        scheme, target = rng.choice(SCHEMES), rng.choice(TARGETS)
        report, = check_dataset(
            config(tmp_path, data_mode=scheme), images=True)
        # The evaluation of random faults must not raise.
        check_dataset(config(tmp_path, 'val', dict(
            type='CocoMetric', ann_file=str(tmp_path / FILE)), test_mode=True))
        error = load_all(tmp_path, scheme, target)
        if error:
            stopped += 1
            effects = {fault.effect for fault in report.faults}
            assert 'stops' in effects, (number, done, error)
    assert 0.3 < stopped / EXAMPLES < 0.7
