import copy
from typing import Optional

import torch
from mmcv.cnn import ConvModule
from mmpose.models.backbones.hrformer import CrossFFN
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_for_inference(model: nn.Module) -> nn.Module:
    """Make a copy of a model that predicts the same in less time.

    Each batch normalisation is folded into the convolution that it follows
    and blocks that only training needs are left out. On a CPU the weights are
    laid out channels last, and with them all feature maps.

    Args:
        model: A model, or a part of one such as a head, in which a
            normalisation that is defined right after a convolution also runs
            right after it. Not changed.

    Returns:
        A copy in evaluation mode. It can predict and be exported; it cannot
        be trained, and does not load checkpoints of ``model``.
    """
    model = copy.deepcopy(model)
    model.eval()  # of some backbones it gives nothing
    modules = list(model.modules())
    for module in modules:
        if hasattr(module, 'drop_training_blocks'):
            module.drop_training_blocks()
        _fold_batch_norms(module)
    if all(weight.device.type == 'cpu' for weight in model.parameters()):
        model = model.to(memory_format=torch.channels_last)
    return model


def _fold_batch_norms(module: nn.Module) -> None:
    """Fold each normalisation that is defined right after a convolution.

    In MMPose and here layers are defined in the order in which they run, but
    for mmcv's ConvModule, which has an order of its own, and for HRFormer's
    CrossFFN, which defines the activation of each convolution too early.
    """
    if isinstance(module, ConvModule) and 'conv norm' not in ' '.join(
            module.order):
        return
    last_name, last = '', None
    for name, layer in module.named_children():
        if isinstance(module, CrossFFN) and isinstance(layer, nn.GELU):
            continue
        if isinstance(layer, _BatchNorm) and _fit(last, layer):
            transposed = isinstance(last, nn.ConvTranspose2d)
            fused = fuse_conv_bn_eval(last, layer, transpose=transposed)
            setattr(module, last_name, fused)
            setattr(module, name, nn.Identity())
        last_name, last = name, layer


def _fit(layer: Optional[nn.Module], norm: _BatchNorm) -> bool:
    """Whether ``layer`` is a convolution that ``norm`` can be folded into."""
    return (isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))
            and layer.out_channels == norm.num_features
            and norm.track_running_stats)
