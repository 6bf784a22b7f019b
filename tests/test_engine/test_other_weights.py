"""Weights of another model, in a test and in a training."""
from collections import OrderedDict

import pytest
import torch
from mmengine.model import ExponentialMovingAverage

from srpose_mm.checkpoints import CheckpointError

from ..support.tools import load_tool
from ..support.training import UNFORMATTED, build, config, train


@pytest.fixture(scope='module')
def weights(toy_coco, tmp_path_factory):
    """State dict of the training's model."""
    with UNFORMATTED:
        runner = build(config(toy_coco, tmp_path_factory.mktemp('weights')))
    return runner.model.state_dict()


@pytest.fixture
def load(toy_coco, tmp_path):
    """Load a checkpoint as ``mim test`` does, up to the first image."""

    def load(state_dict, **contents):
        torch.save(dict(state_dict=state_dict, **contents),
                   tmp_path / 'a.pth')
        cfg = config(toy_coco, tmp_path, load_from=str(tmp_path / 'a.pth'))
        with UNFORMATTED:
            runner = build(cfg)
        runner.call_hook('before_run')
        runner.load_or_resume()
        return runner

    return load


def test_its_own_weights(load, weights):
    runner = load(weights, meta={})
    for key, value in runner.model.state_dict().items():
        assert torch.equal(value, weights[key]), key


def of_another_head(weights):
    return {key.replace('head.sr_blocks', 'head.blocks'): value
            for key, value in weights.items()}


def mostly_misshaped(weights):
    return {key: value.new_zeros(*value.shape, 2)
            if value.ndim > 1 else value for key, value in weights.items()}


@pytest.mark.parametrize('change, reason', [
    (of_another_head, r"lacks 16 of the model's \d+ tensors \(such as "
     r'head.sr_blocks.*\) and has 16 unknown to the model \(such as head.bl'),
    (mostly_misshaped, r'has \d\d of another shape \(such as backbone.conv1.'
     r'weight, \[8, 3, 7, 7, 2\] instead of \[8, 3, 7, 7\]'),
    (lambda weights: {'conv1.weight': weights['backbone.conv1.weight']},
     "lacks 234 of the model's 234 tensors"),
    (lambda weights: {key: value * float('nan') for key, value in
                      weights.items() if value.is_floating_point()},
     'NaN or infinity'),
])
def test_a_test_refuses_other_weights(change, reason, load, weights):
    """Otherwise it would end with AP 0."""
    with pytest.raises(ValueError, match=f'a.pth: expected .*{reason}') as err:
        load(change(weights), meta={})
    assert '\n' not in str(err.value)


def test_a_training_starts_from_other_weights(weights, toy_coco, tmp_path,
                                              caplog):
    """As MMEngine does it, and with a line that says what starts fresh."""
    torch.save(dict(state_dict=of_another_head(weights)), tmp_path / 'a.pth')
    cfg = config(toy_coco, tmp_path, load_from=str(tmp_path / 'a.pth'))
    cfg.train_cfg.max_epochs = 1
    cfg.optim_wrapper.optimizer.lr = 0.
    cfg.param_scheduler = None
    runner = train(cfg)
    log, = tmp_path.glob('*/*.log')
    line, = (line for line in log.read_text().splitlines()
             if 'keep their initial values' in line)
    assert (f'load_from {tmp_path}/a.pth: the checkpoint lacks 16 of the '
            "model's 234 tensors (such as head.sr_blocks.0.") in line
    trained = runner.model.state_dict()
    for key, value in weights.items():
        if key.endswith('.weight'):
            is_fresh = key.startswith('head.sr_blocks')
            assert torch.equal(trained[key], value) != is_fresh, key


def test_weights_of_an_average(load, weights):
    """A training with EMAHook saves the averaged ones as the state dict."""
    average = ExponentialMovingAverage(torch.nn.Linear(1, 1)).state_dict()
    current = OrderedDict(
        (f'module.{key}', torch.zeros_like(v)) for key, v in weights.items())
    runner = load(weights, meta={}, ema_state_dict={**average, **current})
    key = 'backbone.conv1.weight'
    assert torch.equal(runner.model.state_dict()[key], weights[key])


HOOK = 'default_hooks.checkpoint.type=SafeCheckpointHook'


@pytest.mark.parametrize('given, passed', [
    ([], ['--cfg-options', HOOK]),
    (['--cfg-options', 'a=1', 'b=2'], ['--cfg-options', HOOK, 'a=1', 'b=2']),
    (['--cfg-options=a=1', '--dump', 'x'],
     ['--cfg-options', HOOK, 'a=1', '--dump', 'x']),
])
def test_the_tool_tests_any_config_with_our_hook(given, passed, monkeypatch):
    """One of MMPose, or one that swap_head wrote, has the stock hook."""
    tool, got = load_tool('test'), []
    monkeypatch.setattr(
        tool, 'run_mmpose_tool', lambda name, argv: got.append((name, argv)))
    tool.main(['c.py', 'a.pth', *given])
    assert got == [('test', ['c.py', 'a.pth', *passed])]


@pytest.mark.parametrize('name', ['test', 'train'])
def test_the_tools_end_with_one_sentence(name, monkeypatch):
    tool = load_tool(name)

    def refuse(name, argv):
        raise CheckpointError('a.pth: expected the weights of another model')

    monkeypatch.setattr(tool, 'run_mmpose_tool', refuse)
    with pytest.raises(SystemExit) as stop:
        tool.main(['c.py', 'a.pth'])
    assert stop.value.code == (
        f'{name}: a.pth: expected the weights of another model')
