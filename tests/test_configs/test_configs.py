"""Every config is built, run once each way, and checked for consistency."""
import warnings
from copy import deepcopy
from functools import cache
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.logging import MessageHub, MMLogger
from mmengine.runner import Runner
from mmpose.registry import DATASETS, MODELS, TRANSFORMS

from ..conftest import CONFIGS

PATHS = sorted(
    path for path in CONFIGS.rglob('*.py') if '_base_' not in path.parts)


@cache
def read(path):
    return Config.fromfile(path)


def load(path):
    """Return a copy of a config, with a backbone of random weights."""
    cfg = deepcopy(read(path))
    cfg.model.backbone.init_cfg = None
    if cfg.model.backbone.type == 'TimmBackbone':
        cfg.model.backbone.pretrained = False
    return cfg


@pytest.fixture(params=PATHS, ids=lambda path: path.stem)
def cfg(request):
    return load(request.param)


def test_names_are_unique():
    # mim finds a config by its file name alone.
    names = [path.name for path in PATHS]
    assert len(names) == len(set(names)) >= 5


def test_reloads_from_its_dump(cfg, tmp_path):
    cfg.dump(tmp_path / 'dumped.py')
    again = Config.fromfile(tmp_path / 'dumped.py')
    assert again.model == cfg.model
    assert again.train_dataloader == cfg.train_dataloader


def test_imports_this_package(cfg):
    assert cfg.custom_imports.imports[0] == 'srpose_mm'
    assert cfg.custom_imports.allow_failed_imports is False


def test_can_be_killed(cfg):
    hooks = cfg.default_hooks
    assert hooks.checkpoint.type == 'SafeCheckpointHook'
    assert hooks.epoch_seed.type == 'EpochSeedHook'
    assert hooks.end_workers.type == 'EndWorkersHook'


def test_checks_no_data_unasked(cfg):
    hooks = [*cfg.default_hooks.values(), *cfg.get('custom_hooks', [])]
    assert 'CheckDatasetHook' not in [hook.type for hook in hooks]


def test_one_codec_everywhere(cfg):
    """Codec, decoder and encoder agree in all that encoding depends on."""
    encoders = [
        step.encoder for step in cfg.train_dataloader.dataset.pipeline
        if step.type == 'GenerateTarget'
    ]
    fields = [{
        key: value
        for key, value in codec.items() if key != '_scope_'
    } for codec in (cfg.codec, cfg.model.head.decoder, *encoders)]
    assert len(fields) == 3
    assert fields[0] == fields[1]
    # An encoder does not need the settings of the decoding.
    assert fields[2].items() <= fields[0].items()
    left_out = fields[0].keys() - fields[2].keys()
    assert all(key.startswith('decode_') for key in left_out)
    for loader in (cfg.train_dataloader, cfg.val_dataloader,
                   cfg.test_dataloader):
        sizes = [
            step.input_size for step in loader.dataset.pipeline
            if 'input_size' in step
        ]
        assert sizes == [cfg.codec.input_size]
        for step in loader.dataset.pipeline:
            TRANSFORMS.build(step)


def test_recipe_of_the_paper(cfg):
    """Design, section 6: optimizer, schedule, batch, input, codec, test."""
    name = Path(cfg.filename).stem
    if 'toy' in name or 'lspet' in name:
        pytest.skip('the demo and lspet have schedules of their own')
    bottom_up, former = name.startswith('ae'), 'hrformer' in name
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.type == ('AdamW' if former else 'Adam')
    assert optimizer.lr == (1.5e-3 if bottom_up else 5e-4)
    if former:
        assert optimizer.weight_decay == 0.01
        assert cfg.optim_wrapper.type == 'AmpOptimWrapper'
        assert cfg.model.backbone.extra.drop_path_rate == 0.1
    warmup, steps = cfg.param_scheduler
    assert (warmup.end, warmup.start_factor) == (500, 0.001)
    epochs = 300 if bottom_up else 210
    assert cfg.train_cfg.max_epochs == steps.end == epochs
    assert steps.milestones == ([200, 260] if bottom_up else [170, 200])
    batch = 24 if bottom_up else 32
    assert cfg.train_dataloader.batch_size == batch
    assert cfg.auto_scale_lr.base_batch_size == 8 * batch
    height, width = map(int, name.rsplit('-', 1)[1].split('x'))
    assert cfg.codec.heatmap_size == cfg.codec.input_size == (width, height)
    assert cfg.codec.sigma == 8
    assert cfg.model.test_cfg.flip_test is True
    if bottom_up:
        kernel = 11 if 'hrnet' in name else 5
        assert cfg.codec.decode_nms_kernel == kernel
        assert cfg.codec.decode_max_instances == 30
    else:
        assert cfg.model.test_cfg.shift_heatmap is True


def test_targets_are_made_on_the_device(cfg):
    """Samples carry keypoints, and no loss needs dense targets of them."""
    assert cfg.codec.target == 'keypoints'
    if cfg.data_mode == 'topdown':
        assert cfg.model.head.loss == dict(
            type='SeparableMSELoss', use_target_weight=True)


@pytest.fixture
def work_dir(tmp_path, monkeypatch):
    """A folder with ``data/`` as the configs expect it, and little in it."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    MMLogger._instance_dict.clear()
    MessageHub._instance_dict.clear()


@pytest.fixture
def data(work_dir, toy_coco, toy_crowdpose, toy_mpii):
    (work_dir / 'data').mkdir()
    for name, root in dict(
            coco=toy_coco,
            toy_coco=toy_coco,
            crowdpose=toy_crowdpose,
            mpii=toy_mpii).items():
        (work_dir / 'data' / name).symlink_to(root)
    # Both have 14 keypoints.
    lspet = work_dir / 'data' / 'lspet'
    lspet.mkdir()
    for name, source in {
            'train.json': 'annotations/mmpose_crowdpose_trainval.json',
            'val.json': 'annotations/mmpose_crowdpose_test.json',
            'images': 'images'}.items():
        (lspet / name).symlink_to(toy_crowdpose / source)


def target_bytes(sample):
    """Bytes of what a sample's codec encoded."""
    stores = [sample.gt_instance_labels]
    if 'gt_fields' in sample:
        stores.append(sample.gt_fields)
    return {
        name: tensor.nbytes
        for store in stores for name, tensor in store.items()
        if isinstance(tensor, torch.Tensor)
    }


@pytest.mark.parametrize('path', [
    path for path in PATHS if 'sr_res50' in path.stem and '_coco-' in path.stem
], ids=lambda path: path.stem)
def test_size_of_a_target(path, data):
    """Under 1 KB an instance; a full-size heatmap target has 3.34 MB."""
    cfg = load(path)
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    sample = dataset[0]['data_samples']
    sizes = target_bytes(sample)
    instances = len(sample.gt_instance_labels.keypoint_labels)
    if cfg.data_mode == 'bottomup':
        assert sizes.pop('heatmap_mask') == 512 * 512
    else:
        assert instances == 1
    assert 0 < sum(sizes.values()) < 1024 * instances


def test_builds(cfg):
    model = MODELS.build(cfg.model)
    assert model.head.decoder is not None


# One of each system and of each dataset; the others take minutes.
QUICK = [
    'ae-sr_res50_8xb24-300e_coco-512x512',
    'td-sr_res50_8xb32-210e_mpii-256x256',
    'td-sr_transpose-r-a4_8xb32-210e_coco-256x192',
    'td-srpose_res50_8xb32-210e_coco-256x192',
    'td-srpose_res50_8xb32-210e_crowdpose-256x192',
    'td-srpose_res18_1xb16-5e_toy-128x96',
]


def light_and_heavy():
    for path in PATHS:
        marks = [] if path.stem in QUICK else [pytest.mark.slow]
        yield pytest.param(path, marks=marks, id=path.stem)


@pytest.mark.parametrize('path', light_and_heavy())
def test_one_training_step_and_a_test(path, data):
    """Through MMEngine's Runner, on data of the config's own type."""
    cfg = load(path)
    cfg.work_dir, cfg.load_from = 'work', None
    cfg.train_cfg = dict(by_epoch=False, max_iters=1)
    cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    cfg.param_scheduler = None
    cfg.optim_wrapper.type = 'OptimWrapper'  # AMP of CPUs is bfloat16
    cfg.optim_wrapper.pop('loss_scale', None)
    cfg.default_hooks.pop('checkpoint')
    bottom_up = cfg.data_mode == 'bottomup'
    for loader in (cfg.train_dataloader, cfg.test_dataloader):
        loader.update(num_workers=0, persistent_workers=False)
        loader.batch_size = 1 if bottom_up else 2
        loader.dataset.indices = 2
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        runner = Runner.from_cfg(cfg)
        before = deepcopy(runner.model.state_dict())
        runner.train()
    # Backbones start with zeros in front of most residual branches, and a
    # bias before a normalization has no gradient.
    for name, parameter in runner.model.named_parameters():
        assert torch.isfinite(parameter).all(), name
        if not name.startswith('backbone') and name.endswith('weight'):
            assert not torch.equal(parameter, before[name]), name
    metrics = runner.test()
    name = dict(
        CocoDataset='coco/AP',
        CrowdPoseDataset='crowdpose/AP',
        MpiiDataset='PCK')[cfg.dataset_type]
    assert name in metrics


@pytest.mark.parametrize('name, parameters', [
    ('td-sr_res50_8xb32-210e_coco-256x192', 10.59),
    ('td-sr_hrnet-w32_8xb32-210e_coco-256x192', 0.09),
    ('td-srpose_res50_8xb32-210e_coco-256x192', 1.29),
    ('td-srpose_hrnet-w32_8xb32-210e_coco-256x192', 0.65),
])
def test_deployed_parameters_are_those_of_the_paper(name, parameters):
    path = next(path for path in PATHS if path.stem == name)
    model = MODELS.build(load(path).model)
    modules = [model.head]
    if model.with_neck:
        modules = [model.neck, model.head.sr_blocks[-1]]
    count = sum(p.numel() for m in modules for p in m.parameters())
    assert round(count / 1e6, 2) == parameters


def test_mim_sees_every_config():
    import srpose_mm
    mim = Path(srpose_mm.__file__).parent / '.mim'
    found = {path.name for path in (mim / 'configs').rglob('*.py')}
    assert {path.name for path in PATHS} <= found
    assert (mim / 'tools' / 'train.py').is_file()
    assert (mim / 'model-index.yml').is_file()
