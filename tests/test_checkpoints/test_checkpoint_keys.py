import pytest
import torch
from mmpose.registry import MODELS

from srpose_mm.checkpoints.checkpoint_facts import guess_backbone
from srpose_mm.checkpoints.checkpoint_keys import to_authors_keys, to_our_keys

from ..support.authors_code import (
    MODELS_OF_THE_PAPER,
    SMALL,
    TRANSPOSE,
    Formula,
    assert_same_maps,
    authors_bottom_up,
    authors_srpose,
)


def build(state_dict):
    """Our neck and head with the converted weights, loaded strictly."""
    ours, facts = to_our_keys(state_dict)
    modules = {}
    for name, cfg in facts.configs().items():
        modules[name] = MODELS.build(cfg)
        modules[name].load_state_dict({
            key[len(name) + 1:]: value
            for key, value in ours.items() if key.startswith(f'{name}.')
        })
    assert set(modules) == {key.split('.')[0] for key in ours}
    return modules


def feature_maps(inputs, sizes):
    return tuple(
        torch.randn(2, channels, *size)
        for channels, size in zip(inputs[::-1], sizes))


# Fine to coarse; not every size is twice the next.
SIZES = [(20, 15), (10, 8), (5, 4), (3, 2)]


@pytest.mark.parametrize(
    'numbers',
    [SMALL, TRANSPOSE, *(v[1] for v in MODELS_OF_THE_PAPER.values())],
    ids=['small', 'TransPose', 'ResNet-50', 'HRNet-W32'])
@pytest.mark.parametrize('statistics', ['running', 'batch'])
@torch.no_grad()
def test_srpose_is_the_authors_function(numbers, statistics):
    state_dict = authors_srpose(**numbers)
    assert len(state_dict) == (147 if len(numbers['inputs']) == 4 else 59)
    feats = feature_maps(numbers['inputs'], SIZES)
    formula = Formula(state_dict, training=statistics == 'batch')
    expected = formula.srpose(feats)
    modules = build(state_dict)
    neck, head = modules['neck'], modules['head']
    for module in (neck, head):
        module.train(statistics == 'batch')
    outs = neck(feats)
    assert_same_maps(head.forward_levels(outs), expected)
    # In test form there is one map, the last.
    assert_same_maps([head(outs)], expected[-1:])
    after = to_authors_keys({
        f'{name}.{key}': value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    })
    for key, value in formula.w.items():
        if not key.endswith('num_batches_tracked'):
            torch.testing.assert_close(after[f'keypoint_head.{key}'], value)


@pytest.mark.parametrize('deconvs', [[], [(8, 4), (6, 2), (9, 4)]],
                         ids=['without', 'with deconvolutions'])
@pytest.mark.parametrize('statistics', ['running', 'batch'])
@torch.no_grad()
def test_bottom_up_is_the_authors_function(deconvs, statistics):
    state_dict = authors_bottom_up(5, 12, deconvs, factor=3, embed=2, size=5)
    x = torch.randn(2, 12, 6, 5)
    head = build(state_dict)['head'].train(statistics == 'batch')
    expected = Formula(state_dict, statistics == 'batch').bottom_up(x)
    assert_same_maps(head((x, )), expected)


def all_small():
    yield pytest.param(authors_srpose, SMALL, id='srpose')
    yield pytest.param(
        authors_bottom_up,
        dict(keypoints=5, inputs=12, deconvs=[(8, 4), (6, 2)]),
        id='bottom-up')
    yield pytest.param(
        authors_bottom_up,
        dict(keypoints=5, inputs=12, deconvs=[]),
        id='bottom-up without deconvolutions')


@pytest.mark.parametrize('make, numbers', all_small())
def test_round_trip_is_lossless(make, numbers):
    theirs = {
        **make(**numbers), 'backbone.conv1.weight': torch.randn(4, 3, 7, 7)
    }
    ours, _ = to_our_keys(theirs)
    assert {key.split('.')[0] for key in ours} <= {'backbone', 'neck', 'head'}
    back = to_authors_keys(ours)
    assert list(back) == list(theirs)
    for key, value in theirs.items():
        assert back[key].shape == value.shape
        assert torch.equal(back[key], value)


def test_numbers_from_shapes():
    _, facts = to_our_keys(authors_srpose(**SMALL))
    assert facts == ('srpose', 5, SMALL['inputs'], SMALL['widths'],
                     SMALL['embeds'], SMALL['factors'], SMALL['kernels'], ())


def test_numbers_of_bottom_up_heads():
    deconvs = [(8, 4), (6, 2)]
    _, facts = to_our_keys(authors_bottom_up(5, 12, deconvs, 2, 3, 7))
    assert facts == ('bottom-up sr head', 5, (12, ), (8, 6), (2, ), (3, ),
                     (7, ), (4, 2))
    _, facts = to_our_keys(authors_bottom_up(5, 12, []))
    assert facts == ('bottom-up sr head', 5, (12, ), (), (4, ), (4, ), (9, ),
                     ())


@pytest.mark.parametrize('make, numbers', all_small())
def test_any_missing_or_misshaped_key_is_named(make, numbers):
    whole = make(**numbers)
    for key, value in whole.items():
        rest = {k: v for k, v in whole.items() if k != key}
        with pytest.raises(ValueError, match=f'to_our_keys: .*{key}'):
            to_our_keys(rest)
        with pytest.raises(ValueError, match=f'to_our_keys: .*{key}'):
            to_our_keys({**whole, key: value[..., None]})
        # Of this one the first size is the channels that the head is given.
        if value.ndim and not key.endswith('deconv_layers.0.weight'):
            longer = torch.cat([value, value[:1]])
            with pytest.raises(ValueError, match=f'to_our_keys: .*{key}'):
                to_our_keys({**whole, key: longer})


def test_unknown_keys_are_named():
    whole = authors_srpose(**SMALL)
    for key in ('keypoint_head.final_layer.weight',
                'keypoint_head.pre_fuse.4.0.weight',
                'keypoint_head.pre_fuse.00.0.weight',
                'keypoint_head.lr_head.0.weight.extra',
                'keypoint_head.neck.lr_head.0.weight'):
        with pytest.raises(ValueError, match=key):
            to_our_keys({**whole, key: torch.zeros(1)})
    with pytest.raises(ValueError, match='missing key .*lr_head'):
        to_authors_keys({'neck.lr_head.0.bias': torch.zeros(5)})
    ours, _ = to_our_keys(whole)
    with pytest.raises(ValueError, match='unknown key .*head.final_layer'):
        to_authors_keys({**ours, 'head.final_layer.bias': torch.zeros(5)})


def test_other_heads_and_types_are_refused():
    with pytest.raises(ValueError, match='expected the keys of SRPose .*got '
                       r'\[.keypoint_head.final_layer.bias'):
        to_our_keys({'keypoint_head.final_layer.bias': torch.zeros(17)})
    whole = authors_srpose(**SMALL)
    key = 'keypoint_head.lr_head.0.bias'
    whole[key] = whole[key].long()
    with pytest.raises(ValueError, match=f'{key}.*torch.int64'):
        to_our_keys(whole)


def test_backbones_by_their_tensors():
    for depth in (18, 34, 50, 101, 152):
        with torch.device('meta'):
            resnet = MODELS.build(dict(type='ResNet', depth=depth))
        shapes = {
            f'backbone.{key}': tuple(value.shape)
            for key, value in resnet.state_dict().items()
        }
        assert guess_backbone(shapes) == f'ResNet-{depth}'
        del shapes['backbone.layer3.0.conv1.weight']
        assert guess_backbone(shapes) == 'unknown'
    width = {'backbone.stage4.0.branches.0.0.conv1.weight': (48, 48, 3, 3)}
    assert guess_backbone(width) == 'HRNet-W48'
    attention = {
        f'backbone.encoder.{i}.self_attn.in_proj_weight': (768, 256)
        for i in range(4)
    }
    assert guess_backbone(attention) == 'TransPose with 4 encoder layers'
