"""What the three heads have in common."""
import shutil

import pytest
import torch
from mmpose.models.utils.tta import flip_heatmaps
from torch import nn

from ..support.heads import NAMES, build, samples

LOSSES = dict(
    sr_head={'loss_kpt'},
    srpose={'loss_low_res', *(f'loss_kpt_{i}' for i in range(4))},
    bottom_up={'loss_kpt', 'loss_pull', 'loss_push'})
FACTORS = dict(
    sr_head=dict(upscale_factor=2),
    srpose=dict(upscale_factors=(8, 4, 2, 2)),
    bottom_up=dict(upscale_factor=2))
of_each_head = pytest.mark.parametrize('name', NAMES)


def as_tuple(outputs):
    return outputs if isinstance(outputs, tuple) else (outputs, )


def flip_test(model, feats, **test_cfg):
    """Return the predictions of features and others as the mirrored ones."""
    torch.manual_seed(1)
    inputs = [feats, [torch.randn_like(feat) for feat in feats]]
    inputs = [model.neck(tuple(part)) for part in inputs]
    data = samples('bottom_up', len(feats[0]))
    predicted = model.head.predict(inputs, data,
                                   dict(flip_test=True, **test_cfg))
    return inputs, data[0].metainfo['flip_indices'], predicted


@pytest.mark.parametrize('batch', [0, 1, 2])
@of_each_head
def test_shapes(name, batch):
    model, feats, _ = build(name, max(batch, 1))
    outputs = as_tuple(model.eval()([feat[:batch] for feat in feats]))
    assert [tuple(out.shape) for out in outputs] == [
        (batch, 17, 128, 96)
    ] * (2 if name == 'bottom_up' else 1)


@pytest.mark.parametrize('batch', [1, 2])
@of_each_head
def test_losses_train_every_parameter(name, batch):
    model, feats, data = build(name, batch)
    losses = model.head.loss(model.neck(feats), data)
    assert {key for key in losses if 'loss' in key} == LOSSES[name]
    assert set(losses) - LOSSES[name] <= {'acc_pose'}
    for loss in losses.values():
        assert loss.ndim == 0 and loss.isfinite()
    sum(losses[key] for key in LOSSES[name]).backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), key


@pytest.mark.parametrize('batch', [1, 2])
@pytest.mark.parametrize('peaks_only', [False, True])
@of_each_head
def test_predictions(name, peaks_only, batch):
    model, feats, data = build(name, batch)
    with torch.no_grad():
        predicted = model.eval().head.predict(
            model.neck(feats), data, dict(peaks_only=peaks_only))
    assert len(predicted) == batch
    for instances in predicted:
        count = len(instances)
        assert count == 1 or name == 'bottom_up'
        assert instances.keypoints.shape == (count, 17, 2)
        assert instances.keypoint_scores.shape == (count, 17)
        assert instances.keypoints.dtype == 'float32'


@pytest.mark.parametrize('shift', [False, True])
@of_each_head
def test_flip_test_averages_the_heatmaps(name, shift):
    model, feats, _ = build(name)
    with torch.no_grad():
        inputs, swap, (_, fields) = flip_test(
            model.eval(), feats, shift_heatmap=shift, output_heatmaps=True)
        original, mirrored = (
            as_tuple(model.head(part))[0] for part in inputs)
    mirrored = flip_heatmaps(mirrored, flip_indices=swap, shift_heatmap=shift)
    expected = (original + mirrored) / 2
    for field, heatmaps in zip(fields, expected):
        torch.testing.assert_close(field.heatmaps, heatmaps)
        # A view would be dumped with the heatmaps of its batch.
        for maps in field.values():
            assert maps.untyped_storage().nbytes() == maps.nbytes


@pytest.mark.parametrize('shift', [False, True])
@of_each_head
def test_flip_test_decodes_the_average(name, shift):
    model, feats, _ = build(name)
    with torch.no_grad():
        _, _, (predicted, fields) = flip_test(
            model.eval(), feats, shift_heatmap=shift, output_heatmaps=True)
    for instances, field in zip(predicted, fields):
        maps = [field.heatmaps.numpy()]
        if name == 'bottom_up':
            maps.append(field.tags.numpy())
        keypoints = model.head.decoder.batch_decode(
            *(torch.from_numpy(part)[None] for part in maps))[0][0]
        torch.testing.assert_close(instances.keypoints, keypoints)


@of_each_head
def test_state_dict(name):
    model, feats, _ = build(name)
    other, _, _ = build(name)
    model.eval(), other.eval()
    with torch.no_grad():
        expected = as_tuple(model(feats))
        assert not torch.equal(as_tuple(other(feats))[0], expected[0])
        other.load_state_dict(model.state_dict(), strict=True)
        for got, want in zip(as_tuple(other(feats)), expected):
            torch.testing.assert_close(got, want, rtol=0, atol=0)


@of_each_head
def test_bfloat16_autocast(name):
    model, feats, data = build(name)
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3)
    with torch.autocast('cpu', dtype=torch.bfloat16):
        loss = model.loss(feats, data)
    assert loss.dtype == torch.float32
    loss.backward()
    for key, parameter in model.named_parameters():
        assert parameter.grad.isfinite().all(), key
    optimizer.step()

    model.eval()
    with torch.no_grad():
        expected = as_tuple(model(feats))
        with torch.autocast('cpu', dtype=torch.bfloat16):
            got = as_tuple(model(feats))
            preds = model.head.predict(model.neck(feats), data, {})
    for a, b in zip(got, expected):
        assert a.dtype == torch.bfloat16
        # bfloat16 has 8 bits, and errors of a few layers add up.
        assert (a - b).abs().max() < 0.1 * b.abs().max()
    assert len(preds) == 2 and preds[0].keypoints.dtype == 'float32'


@pytest.mark.skipif(
    torch.__version__ < '2.2',
    reason='the compiler of torch 2.1 does not look into named tuples')
@pytest.mark.parametrize('backend', [
    'aot_eager',
    pytest.param(
        'inductor',
        marks=[
            pytest.mark.slow,
            pytest.mark.skipif(
                not shutil.which('c++'), reason='needs a C++ compiler')
        ])
])
@of_each_head
def test_compiles_as_one_graph(name, backend):
    model, feats, _ = build(name)
    model.eval()
    torch.compiler.reset()
    compiled = torch.compile(model, fullgraph=True, backend=backend)
    with torch.no_grad():
        for got, want in zip(as_tuple(compiled(feats)), as_tuple(
                model(feats))):
            torch.testing.assert_close(got, want)


@of_each_head
def test_another_number_of_channels(name):
    model, feats, _ = build(name)
    head, (*others, last) = model.head, model.neck(feats)
    wrong = nn.functional.pad(last, (0, 0, 0, 0, 0, 5))
    with pytest.raises(ValueError, match=(
            rf'{type(head).__name__}: expected \d feature maps with \[.*\] '
            rf'channels, got \d with .*{wrong.shape[1]}\]; set in_channels')):
        head((*others, wrong))


@of_each_head
def test_another_number_of_keypoints(name):
    model, feats, _ = build(name)
    head = type(model.head).__name__
    with pytest.raises(ValueError, match=f'{head}: expected 17 keypoints, '
                       'got 14 from the data; out_channels of the head'):
        model.loss(feats, samples(name, keypoints=14))


@of_each_head
def test_another_size_names_the_factor(name):
    model, feats, data = build(name, **FACTORS[name])
    factor = 'the last of upscale_factors' if name == 'srpose' else (
        'upscale_factor')
    message = (f'{type(model.head).__name__}: .*codec\'s size 96x128 .*got '
               f'48x64 with a factor of 2; set {factor} to 4')
    with pytest.raises(ValueError, match=message):
        model.loss(feats, data)
    if name != 'bottom_up':
        with pytest.raises(ValueError, match=message):
            model.head.predict(model.neck(feats), data, {})


@of_each_head
def test_an_unknown_keyword_fails(name):
    with pytest.raises(TypeError, match='embed_channel'):
        build(name, embed_channel=4)
