"""Every config in half precision and under torch.compile."""
import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmpose.registry import DATASETS, MODELS

from .test_configs import PATHS, data, load, work_dir  # noqa: F401


def slow_but_the_demo(paths):
    """The others take tens of seconds each on two cores."""
    for path in paths:
        marks = [] if 'toy' in path.stem else [pytest.mark.slow]
        yield pytest.param(path, marks=marks, id=path.stem)


# A config for each head and neck.
ONE_OF_EACH = [
    path for path in PATHS if 'toy' in path.stem
    or 'res50' in path.stem and '_coco-' in path.stem
]


@pytest.fixture(params=slow_but_the_demo(PATHS))
def system(request, data):  # noqa: F811
    """A config's model and a batch of its data, as its loop gets them."""
    cfg = load(request.param)
    model = MODELS.build(cfg.model)
    model.init_weights()
    dataset = DATASETS.build(cfg.train_dataloader.dataset)
    size = 1 if cfg.data_mode == 'bottomup' else 2
    batch = pseudo_collate([dataset[i] for i in range(size)])
    return model, model.data_preprocessor(batch, training=True)


def run_loss(forward, batch):
    """A training step's loss; drop paths and dropouts are the same."""
    torch.manual_seed(1)
    losses = forward(**batch, mode='loss')
    return sum(
        value.sum() if torch.is_tensor(value) else sum(value)
        for name, value in losses.items() if 'loss' in name)


def check_gradients(model):
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            assert parameter.grad.isfinite().all(), name


def test_bfloat16(system):
    model, batch = system
    expected = run_loss(model, batch).detach()
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = run_loss(model, batch)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.detach(), expected, rtol=0.02, atol=0)
    loss.backward()
    check_gradients(model)


@pytest.mark.skipif(
    torch.__version__ < (2, 3), reason='CPUs take float16 from torch 2.3 on')
@pytest.mark.parametrize(
    'system', slow_but_the_demo(ONE_OF_EACH), indirect=True)
def test_float16(system):
    """Neck and head, of one config each: CPUs take minutes in float16."""
    model, batch = system
    with torch.no_grad():
        feats = model.backbone(batch['inputs'])

    def loss_of(feats, **_):
        if model.with_neck:
            feats = model.neck(feats)
        return model.head.loss(feats, batch['data_samples'])

    expected = run_loss(loss_of, dict(feats=feats)).detach()
    with torch.autocast('cpu', dtype=torch.float16):
        loss = run_loss(loss_of, dict(feats=[feat.half() for feat in feats]))
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss.detach(), expected, rtol=0.02, atol=0)
    # What fp16 training does about small gradients.
    (loss * 2.**10).backward()
    check_gradients(model)


@pytest.mark.skipif(
    torch.__version__ < '2.2',
    reason="the compiler of torch 2.1 stops at MMEngine's InstanceData")
def test_compile(system):
    """Losses, gradients of the head, and maps are those of eager mode."""
    model, batch = system
    weight = next(model.head.parameters())
    state = {k: v.clone() for k, v in model.state_dict().items()}
    results = []
    for forward in (model.forward,
                    torch.compile(model.forward, backend='aot_eager')):
        model.load_state_dict(state)
        model.train().zero_grad()
        loss = run_loss(forward, batch)
        loss.backward()
        model.eval()
        with torch.no_grad():
            maps = forward(batch['inputs'], None, mode='tensor')
        results.append([loss.detach(), weight.grad.clone(), maps])
    torch.compiler.reset()
    torch.testing.assert_close(*results, rtol=1e-4, atol=1e-6)
