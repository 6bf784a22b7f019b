from types import SimpleNamespace

import torch
from mmcv.cnn import ConvWS2d
from mmengine.model import MMDistributedDataParallel
from mmpose.registry import HOOKS, MODELS


def test_same_results_in_another_layout():
    head = MODELS.build(
        dict(
            type='SRHead',
            in_channels=16,
            out_channels=5,
            deconv_out_channels=(8, ),
            deconv_kernel_sizes=(4, ))).eval()
    x = torch.randn(2, 16, 8, 6)
    before = head((x, ))
    hook = HOOKS.build(dict(type='ChannelsLastHook'))
    hook.before_run(SimpleNamespace(model=head))
    for name in ('deconv_layers.0.weight', 'sr_block.predictor.weight'):
        weight = dict(head.named_parameters())[name]
        assert weight.is_contiguous(memory_format=torch.channels_last)
    torch.testing.assert_close(head((x, )), before)


def test_wrapped_models_are_left_alone():
    """The buckets of their gradients have the default layout."""
    wrapped = MMDistributedDataParallel.__new__(MMDistributedDataParallel)
    torch.nn.Module.__init__(wrapped)
    wrapped.module = torch.nn.Conv2d(4, 4, 3)
    log = []
    HOOKS.build(dict(type='ChannelsLastHook')).before_run(
        SimpleNamespace(model=wrapped, logger=SimpleNamespace(
            info=log.append)))
    assert wrapped.module.weight.is_contiguous()
    assert log == ['ChannelsLastHook does nothing in several processes']


def test_other_weights_keep_their_layout():
    """mmcv's weight standardization and 3D convolutions need it."""
    model = torch.nn.ModuleList([ConvWS2d(4, 8, 3), torch.nn.Conv3d(4, 8, 3)])
    HOOKS.build(dict(type='ChannelsLastHook')).before_run(
        SimpleNamespace(model=model))
    model[0](torch.randn(2, 4, 5, 5))
    assert all(module.weight.is_contiguous() for module in model)
