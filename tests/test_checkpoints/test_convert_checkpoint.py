import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import load_checkpoint
from mmpose.registry import MODELS

from srpose_mm.checkpoints.convert_checkpoint import convert_checkpoint

from ..conftest import CONFIGS, ROOT
from ..support.authors_code import (
    MODELS_OF_THE_PAPER,
    SMALL,
    Formula,
    assert_same_maps,
    authors_bottom_up,
    authors_srpose,
)


def save(path, state_dict, **contents):
    torch.save(dict(state_dict=state_dict, **contents), path)
    return path


@pytest.fixture(
    scope='module',
    params=MODELS_OF_THE_PAPER.items(),
    ids=[backbone for backbone, _ in MODELS_OF_THE_PAPER.values()])
def full(request, tmp_path_factory):
    """A checkpoint of a whole model: config, backbone, weights and file."""
    name, (backbone, numbers) = request.param
    cfg = Config.fromfile(next(CONFIGS.rglob(f'{name}.py')))
    torch.manual_seed(0)
    module = MODELS.build(dict(cfg.model.backbone, _scope_='mmpose'))
    state_dict = {
        f'backbone.{key}': value
        for key, value in module.state_dict().items()
    }
    state_dict.update(authors_srpose(**numbers))
    path = tmp_path_factory.mktemp('full') / 'authors.pth'
    save(path, state_dict, meta=dict(epoch=210), optimizer=dict(state={}))
    return cfg, name, backbone, state_dict, path


def test_whole_models(full, tmp_path):
    cfg, name, backbone, state_dict, path = full
    out = tmp_path / 'converted.pth'
    conversion = convert_checkpoint(path, out)
    assert conversion.backbone == backbone
    assert name in conversion.configs
    assert all(('hrnet' in other) == ('hrnet' in name)
               and 'mpii' not in other and 'crowdpose' not in other
               for other in conversion.configs)
    assert sum(old != new for old, new in conversion.mapped) == 147
    assert [old for old, _ in conversion.mapped] == list(state_dict)
    assert [new for _, new in conversion.mapped] == list(
        conversion.state_dict)
    model = MODELS.build(cfg.model)
    load_checkpoint(model, str(out), map_location='cpu', strict=True)
    model.eval()
    image = torch.randn(1, 3, 64, 64)
    with torch.no_grad():
        feats = model.backbone(image)
        expected = Formula(state_dict).srpose(feats)
        levels = model.head.forward_levels(model.extract_feat(image))
        last = model.head(model.extract_feat(image))
    assert_same_maps(levels, expected)
    assert_same_maps([last], expected[-1:])
    assert last.shape == (1, 17, 64, 64)


@pytest.mark.parametrize('name, backbone, inputs, deconvs', [
    ('ae-sr_res50_8xb24-300e_coco-512x512', 'ResNet-50', 2048, [(256, 4)] * 3),
    ('ae-sr_hrnet-w32_8xb24-300e_coco-512x512', 'HRNet-W32', 32, []),
])
def test_whole_bottom_up_models(tmp_path, name, backbone, inputs, deconvs):
    cfg = Config.fromfile(next(CONFIGS.rglob(f'{name}.py')))
    model = MODELS.build(cfg.model)
    theirs = {
        **{k: v for k, v in model.state_dict().items() if 'backbone' in k},
        **authors_bottom_up(17, inputs, deconvs)
    }
    conversion = convert_checkpoint(save(tmp_path / 'a.pth', theirs))
    assert conversion.backbone == backbone
    assert name in conversion.configs
    model.load_state_dict(conversion.state_dict, strict=True)


def test_backbone_that_no_config_has(full, tmp_path):
    _, name, backbone, state_dict, _ = full
    first, *_, last = [k for k in state_dict if k.startswith('backbone.')]
    changed = {k: v for k, v in state_dict.items() if k != last}
    changed[first] = changed[first][:, :1]
    changed['backbone.more'] = torch.zeros(1)
    conversion = convert_checkpoint(save(tmp_path / 'a.pth', changed))
    assert conversion.configs == []
    assert conversion.backbone == backbone
    fit = {fit.name: fit for fit in conversion.fits}[name]
    assert fit.missing == tuple(sorted([first, last]))
    assert fit.unexpected == tuple(sorted([first, 'backbone.more']))
    report = conversion.report()
    assert 'no config of this package' in report
    for line in (f'missed: {last!r}', 'not in it: \'backbone.more\''):
        assert line in report


def test_what_is_dropped_is_listed(tmp_path):
    whole = authors_srpose(**SMALL)
    path = save(
        tmp_path / 'authors.pth',
        {
            **whole, 'ema.weight': torch.zeros(1),
            'neck.lr_head.0.bias': torch.zeros(5)
        },
        meta=dict(epoch=210),
        optimizer=dict(param_groups=[dict(lr=0.1)]))
    out = tmp_path / 'converted.pth'
    conversion = convert_checkpoint(str(path), str(out))
    assert conversion.dropped_keys == ('ema.weight', 'neck.lr_head.0.bias')
    assert conversion.dropped_contents == ('meta', 'optimizer')
    assert conversion.backbone == 'unknown' and conversion.fits == ()
    written = torch.load(out, weights_only=True)
    assert list(written) == ['state_dict', 'meta']
    assert type(written['state_dict']) is dict
    assert len(written['state_dict']) == 147
    assert written['meta']['num_keypoints'] == 5
    assert written['meta']['converted_from'] == 'authors.pth'
    report = conversion.report()
    for line in ("dropped: key 'ema.weight'", "dropped: 'optimizer' of the",
                 'keypoint_head.fuse.0.bias -> neck.fusions.0.bias',
                 "'type': 'SRPoseNeck'"):
        assert line in report
    assert sum(' -> ' in line for line in report.splitlines()) == 147
    assert sorted(tmp_path.iterdir()) == [path, out]


class Gadget:
    """Pickles as a call that leaves a file behind."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), 'w')


@pytest.mark.parametrize('place', ['state_dict', 'meta', 'optimizer'])
def test_code_in_a_file_is_refused(tmp_path, place):
    trace = tmp_path / 'trace'
    contents = dict(state_dict=authors_srpose(**SMALL), meta={}, optimizer={})
    contents[place]['gadget'] = Gadget(trace)
    path = tmp_path / 'bad.pth'
    torch.save(contents, path)
    with pytest.raises(ValueError, match='bad.pth: expected .* run code '
                       r'\((Unsupported|holds) .*open') as error:
        convert_checkpoint(path, tmp_path / 'out.pth')
    assert 'weights_only' not in str(error.value)
    assert list(tmp_path.iterdir()) == [path]


def bad_files():
    whole = authors_srpose(**SMALL)
    torch.save(dict(state_dict=whole), Path('whole'))
    data = Path('whole').read_bytes()
    Path('whole').unlink()
    yield 'damaged', b''
    yield 'damaged', b'not a checkpoint'
    yield 'damaged', data[:len(data) // 2]
    yield 'expected a dict with a state_dict, got list', [1, 2]
    yield r'expected a dict with a state_dict, got \[.weights', dict(weights=1)
    yield 'got int for .backbone.x', dict(state_dict={'backbone.x': 1})
    yield 'got Tensor for 3', dict(state_dict={3: torch.zeros(1)})
    yield 'expected the keys of SRPose', dict(state_dict={})
    del whole['keypoint_head.fuse.0.bias']
    yield 'missing key .keypoint_head.fuse.0.bias', dict(state_dict=whole)
    whole['keypoint_head.fuse.0.bias'] = torch.zeros(2)
    yield 'keypoint_head.fuse.0.bias.* has shape', dict(state_dict=whole)


def test_nothing_is_written_for_bad_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for message, contents in bad_files():
        path = tmp_path / 'bad.pth'
        if isinstance(contents, bytes):
            path.write_bytes(contents)
        else:
            torch.save(contents, path)
        with pytest.raises(ValueError, match=f'bad.pth: .*{message}'):
            convert_checkpoint(path, tmp_path / 'out.pth')
        assert list(tmp_path.iterdir()) == [path]


def test_a_failure_to_write_leaves_nothing(tmp_path, monkeypatch):
    path = save(tmp_path / 'authors.pth', authors_srpose(**SMALL))
    out = tmp_path / 'out.pth'
    out.write_text('of before')

    def full_disk(contents, file):
        Path(file).write_bytes(b'half')
        raise RuntimeError('file write failed')

    monkeypatch.setattr(torch, 'save', full_disk)
    with pytest.raises(OSError, match='cannot write .*file write failed'):
        convert_checkpoint(path, out)
    assert sorted(tmp_path.iterdir()) == [path, out]
    assert out.read_text() == 'of before'


def test_files_that_are_not_there(tmp_path):
    path = save(tmp_path / 'authors.pth', authors_srpose(**SMALL))
    with pytest.raises(FileNotFoundError, match='to be a file, got .*no.pth'):
        convert_checkpoint(tmp_path / 'no.pth')
    with pytest.raises(FileNotFoundError, match='folder of out to be there'):
        convert_checkpoint(path, tmp_path / 'no' / 'out.pth')
    for out in (path, tmp_path):
        with pytest.raises(ValueError, match='other than the checkpoint'):
            convert_checkpoint(path, out)
    assert list(tmp_path.iterdir()) == [path]


@pytest.fixture
def tool():
    spec = importlib.util.spec_from_file_location(
        'convert_checkpoint_tool', ROOT / 'tools' / 'convert_checkpoint.py')
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.main


def test_tool(tool, tmp_path, caplog, capsys):
    path = save(tmp_path / 'authors.pth', authors_srpose(**SMALL))
    out = tmp_path / 'out.pth'
    logger = MMLogger.get_instance('srpose_mm', logger_name='srpose_mm')
    logger.addHandler(caplog.handler)
    try:
        tool([str(path)])
        assert not out.exists()
        tool([str(path), '--out', str(out)])
    finally:
        logger.removeHandler(caplog.handler)
    assert 'mapped: 147 tensors renamed' in caplog.text
    assert f'written to {out}' in caplog.text
    assert len(torch.load(out, weights_only=True)['state_dict']) == 147
    with pytest.raises(SystemExit) as stop:
        tool(['--help'])
    assert stop.value.code == 0
    assert ('mim run srpose_mm convert_checkpoint authors.pth --out '
            'converted.pth') in capsys.readouterr().out


def test_tool_fails_with_one_sentence(tool, tmp_path):
    bad = tmp_path / 'bad.pth'
    bad.write_bytes(b'')
    for argv in ([str(bad), '--out', str(tmp_path / 'out.pth')],
                 [str(tmp_path / 'no.pth')]):
        with pytest.raises(SystemExit) as stop:
            tool(argv)
        # Python prints a text to stderr and exits with 1.
        assert stop.value.code.startswith('convert_checkpoint: ')
        assert '\n' not in stop.value.code
    assert list(tmp_path.iterdir()) == [bad]
