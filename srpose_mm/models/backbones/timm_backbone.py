from typing import List, Optional, Sequence, Tuple

import torch
from mmengine.model import BaseModule
from mmengine.runner import CheckpointLoader
from mmpose.registry import MODELS
from mmpose.utils.typing import OptConfigType
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from srpose_mm.codecs.utils.arguments import require

FINEST_STRIDE = 4


@MODELS.register_module()
class TimmBackbone(BaseModule):
    """Backbone from timm: any of its models that supports ``features_only``.

    Shapes: images (B, C, h, w) -> feature maps (B, C_i, h / s_i, w / s_i),
    fine to coarse, with C_i in ``out_channels`` and s_i in ``out_strides``.

    Args:
        model_name: Name of the model in timm, e.g. ``'convnext_tiny'``.
        out_indices: Indices of the output levels in timm's
            ``feature_info``; negative ones count from the end. ``None``
            selects the deepest level of each stride from 4 on.
        pretrained: Download timm's weights when the training starts.
        in_channels: Channels of the images, C.
        frozen_stages: Index of the last level in ``feature_info`` that is
            frozen, with all layers before it. -1 freezes nothing.
        norm_eval: Keep batch normalization in evaluation mode.
        drop_path_rate: Rate of dropped residual branches in training.
        model_args: Further arguments of timm's model, e.g.
            ``dict(img_size=(256, 192))``, in (H, W) order, for a ViT.
        init_cfg: Initialization config. With ``type='Pretrained'`` and no
            ``prefix``, ``checkpoint`` is a checkpoint of timm's model;
            position embeddings and input channels are adapted to the model.

    Attributes:
        out_channels: Channels of each output, C_i.
        out_strides: Stride of each output, s_i, in px.

    Raises:
        ImportError: If timm is not installed.
        OSError: If the download fails.
        ValueError: If timm has no such model or level, both ``pretrained``
            and ``init_cfg`` are given, or the checkpoint lacks weights.
    """

    def __init__(self,
                 model_name: str,
                 out_indices: Optional[Sequence[int]] = None,
                 pretrained: bool = False,
                 in_channels: int = 3,
                 frozen_stages: int = -1,
                 norm_eval: bool = False,
                 drop_path_rate: float = 0.,
                 model_args: Optional[dict] = None,
                 init_cfg: OptConfigType = None):
        super().__init__(init_cfg)
        require(self, not (pretrained and init_cfg), 'expected pretrained or '
                f'init_cfg, got both, init_cfg={init_cfg}; omit one')
        self.model_name = model_name
        self.pretrained = pretrained
        self.norm_eval = norm_eval
        self.frozen_stages = frozen_stages
        self.model_args = dict(model_args or {}, in_chans=in_channels)
        if drop_path_rate:
            self.model_args['drop_path_rate'] = drop_path_rate
        _check_name(model_name)
        if out_indices is None:
            out_indices = self._deepest_of_each_stride()
        self.out_indices = tuple(out_indices)
        try:
            self.model = self._create(
                features_only=True, out_indices=self.out_indices)
        except (AssertionError, IndexError) as err:
            raise ValueError(
                'TimmBackbone: expected out_indices to be levels of '
                f'{model_name}, got {self.out_indices}: {err}') from err
        info = self.model.feature_info
        self.out_channels = tuple(info.channels())
        self.out_strides = tuple(info.reduction())
        # Some models of timm, e.g. Swin, output (B, H, W, C).
        layout = getattr(self.model, 'output_fmt', 'NCHW')
        self.is_nhwc = getattr(layout, 'value', layout) == 'NHWC'
        for module in self._frozen_modules():
            for parameter in module.parameters(recurse=False):
                parameter.requires_grad_(False)

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Return the feature maps of images in shape (B, C, h, w)."""
        feats = self.model(x)
        if self.is_nhwc:
            feats = [feat.permute(0, 3, 1, 2) for feat in feats]
        return tuple(feats)

    def train(self, mode: bool = True) -> 'TimmBackbone':
        """Set the training mode, except for frozen layers."""
        super().train(mode)
        for module in self._frozen_modules():
            module.training = False
        if mode and self.norm_eval:
            for module in self.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()
        return self

    def init_weights(self) -> None:
        """Load pretrained weights, from timm or from a checkpoint of timm."""
        init_cfg = self.init_cfg if isinstance(self.init_cfg, dict) else {}
        overlay = None
        if init_cfg.get('type') == 'Pretrained' and not init_cfg.get('prefix'):
            overlay = dict(
                state_dict=self._read_weights(init_cfg['checkpoint']))
        elif not self.pretrained:
            super().init_weights()
            return
        try:
            source = self._create(
                features_only=True,
                out_indices=self.out_indices,
                pretrained=True,
                pretrained_cfg_overlay=overlay)
        except OSError as err:
            raise OSError(
                f'TimmBackbone: cannot download the weights of '
                f'{self.model_name} ({err}); set init_cfg to '
                'dict(type=\'Pretrained\', checkpoint=FILE)') from err
        self.model.load_state_dict(source.state_dict())

    def _create(self, **kwargs) -> nn.Module:
        import timm
        return timm.create_model(self.model_name, **self.model_args, **kwargs)

    def _deepest_of_each_stride(self) -> Tuple[int, ...]:
        """Return the default of ``out_indices``."""
        try:
            with torch.device('meta'):
                info = self._create(features_only=True).feature_info.info
        except RuntimeError:
            # Some constructors compute with the values of their tensors.
            info = self._create(features_only=True).feature_info.info
        deepest = {level['reduction']: i for i, level in enumerate(info)}
        return tuple(index for stride, index in deepest.items()
                     if stride >= FINEST_STRIDE)

    def _frozen_modules(self) -> List[nn.Module]:
        """Return the modules up to the last frozen level."""
        if self.frozen_stages < 0:
            return []
        levels = self.model.feature_info.info
        level = levels[min(self.frozen_stages, len(levels) - 1)]['module']
        # timm turns 'stages.0' into 'stages_0', or puts 'model.' before it.
        prefixes = tuple(f'{prefix}.' for prefix in (
            level, level.replace('.', '_'), f'model.{level}'))
        modules = list(self.model.named_modules())
        inside = [i for i, (name, _) in enumerate(modules)
                  if f'{name}.'.startswith(prefixes)]
        require(
            self, inside, 'expected frozen_stages to be a level up to the '
            f'last output of {self.model_name} whose layers timm names, got '
            f'{self.frozen_stages}')
        return [module for _, module in modules[:inside[-1] + 1]]

    def _read_weights(self, checkpoint: str) -> dict:
        """Return the state dict of a checkpoint of timm's model."""
        contents = CheckpointLoader.load_checkpoint(
            checkpoint, map_location='cpu')
        weights = dict(contents.get('state_dict', contents))
        missing = [key for key in self._create(num_classes=0).state_dict()
                   if key not in weights]
        if missing:
            raise ValueError(
                f'TimmBackbone: expected {checkpoint} to have the weights of '
                f'timm\'s {self.model_name}, got none for {len(missing)} of '
                f'its tensors, such as {missing[0]}; set prefix=\'backbone.\' '
                'in init_cfg if it is the checkpoint of a pose model')
        return weights


def _check_name(name: str) -> None:
    """Check that timm is installed and has a model."""
    try:
        import timm
    except ImportError as err:
        raise ImportError('TimmBackbone: expected the package timm, which is '
                          'not installed; run "pip install timm"') from err
    if not timm.is_model(name):
        similar = timm.list_models(f'*{name[:6]}*')[:5]
        raise ValueError(
            f'TimmBackbone: expected model_name to be a model of timm, got '
            f'{name!r}; similar names: {similar}, all: timm.list_models()')
