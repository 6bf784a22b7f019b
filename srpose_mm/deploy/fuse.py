"""Fold batch normalizations into convolutions."""
import copy

from mmcv.cnn import ConvModule
from mmpose.models.backbones.hrformer import CrossFFN
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.utils.fusion import fuse_conv_bn_eval

from ..models.layers import use_channels_last

# Classes that apply their weight as it is. Others normalize it, which would
# remove the scale of a folded normalization.
PLAIN = ('Conv2d', 'ConvTranspose2d', 'Conv2dAdaptivePadding', 'Conv2dSame')


def fuse_for_inference(model: nn.Module) -> nn.Module:
    """Return a copy of a model that makes the same predictions faster.

    Each batch normalization is folded into the convolution before it, and
    blocks that only training needs are removed. On a CPU the weights, and
    with them all feature maps, are in channels-last memory format.

    Args:
        model: Model or part of one. A normalization that is defined directly
            after a convolution must also run directly after it. The model is
            not changed.

    Returns:
        Copy in evaluation mode. It cannot be trained and cannot load
        checkpoints of ``model``.
    """
    model = copy.deepcopy(model)
    # Not chained: `eval` of some backbones returns None.
    model.eval()
    for module in list(model.modules()):
        if hasattr(module, 'drop_training_blocks'):
            module.drop_training_blocks()
        _fold_batch_norms(module)
    if all(weight.device.type == 'cpu' for weight in model.parameters()):
        use_channels_last(model)
    return model


def _fold_batch_norms(module: nn.Module) -> None:
    """Fold each normalization that is defined directly after a convolution.

    MMPose, timm and this package define layers in the order in which they
    run. The exceptions are mmcv's ConvModule, which has an order of its own,
    HRFormer's CrossFFN, which defines activations before the normalizations
    that run before them, and timm's RepVggDw, which normalizes a sum.
    """
    if (isinstance(module, ConvModule)
            and 'conv norm' not in ' '.join(module.order)
            or type(module).__name__ == 'RepVggDw'):
        return
    # Layers whose outputs timm returns as features.
    features = getattr(module, 'return_layers', ())
    last_name, last = '', None
    for name, layer in module.named_children():
        if isinstance(module, CrossFFN) and isinstance(layer, nn.GELU):
            continue
        transposed = isinstance(last, nn.ConvTranspose2d)
        if (isinstance(layer, _BatchNorm)
                and type(last).__name__ in PLAIN
                # torch cannot fold into groups of these.
                and not (transposed and last.groups > 1)
                and last_name not in features
                and last.out_channels == layer.num_features
                and layer.track_running_stats):
            fused = fuse_conv_bn_eval(last, layer, transpose=transposed)
            setattr(module, last_name, fused)
            # The children of timm's BatchNormAct2d run after it: a dropout
            # and the activation. Other normalizations have none.
            setattr(module, name, nn.Sequential(*layer.children()))
        last_name, last = name, layer
