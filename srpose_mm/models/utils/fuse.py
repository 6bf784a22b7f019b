import copy
from typing import Union

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval


def fuse_for_inference(model: nn.Module) -> nn.Module:
    """Make a copy of a model that predicts the same in less time.

    Each batch normalisation is folded into the convolution that it follows
    and blocks that only training needs are left out. On a CPU the weights are
    laid out channels last, and with them all feature maps.

    Args:
        model: Any model, or a part of one such as a head. Not changed.

    Returns:
        A copy in evaluation mode. It can predict and be exported; it cannot
        be trained, and does not load checkpoints of ``model``.
    """
    model = copy.deepcopy(model).eval()
    modules = list(model.modules())
    for module in modules:
        if hasattr(module, 'drop_training_blocks'):
            module.drop_training_blocks()
        _fold_batch_norms(module)
    if all(weight.device.type == 'cpu' for weight in model.parameters()):
        model = model.to(memory_format=torch.channels_last)
    return model


def _fold_batch_norms(module: nn.Module) -> None:
    """Fold the batch normalisations among a module's own layers.

    In MMPose and here a normalisation comes after its convolution in the
    order of definition too; an activation may stand between them.
    """
    conv = None
    for name, layer in module.named_children():
        if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
            conv, conv_name = layer, name
        elif isinstance(layer, _BatchNorm) and _fit(conv, layer):
            transposed = isinstance(conv, nn.ConvTranspose2d)
            fused = fuse_conv_bn_eval(conv, layer, transpose=transposed)
            setattr(module, conv_name, fused)
            setattr(module, name, nn.Identity())
            conv = None


def _fit(conv: Union[nn.Conv2d, nn.ConvTranspose2d, None],
         norm: _BatchNorm) -> bool:
    """Whether ``norm`` can be folded into ``conv``."""
    return (conv is not None and conv.out_channels == norm.num_features
            and norm.track_running_stats)
