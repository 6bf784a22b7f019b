from typing import List, Optional, Sequence, Tuple

from mmpose.models.heads import HeatmapHead
from mmpose.registry import MODELS
from mmpose.utils.typing import InstanceList, OptConfigType, OptSampleList
from torch import Tensor, nn

from srpose_mm.models.layers import SRBlock
from srpose_mm.models.losses import SeparableMSELoss
from srpose_mm.models.utils import (
    check_channels,
    check_heatmap_size,
    check_keypoints,
    check_level_channels,
    gather_targets,
    pool_targets,
    pose_pck_accuracy,
)

EMBED_CHANNELS = (16, 8, 4, 4)
UPSCALE_FACTORS = (8, 4, 2, 4)


@MODELS.register_module()
class SRPoseHead(HeatmapHead):
    """Coarse-to-fine super-resolution head, behind :class:`SRPoseNeck`.

    An :class:`SRBlock` on each of the neck's n levels. Training supervises
    the maps of all levels and the neck's low-resolution map; inference
    computes the last level only.

    Shapes: (lr, feat_0, ..., feat_{n-1}), coarse to fine, with lr
    (B, K, h_0, w_0) and feat_i (B, C_i, h_i, w_i) -> (B, K, H, W), where
    H = r_{n-1} * h_{n-1} is the input's height by default. The map of level i
    is r_i times as fine as feat_i: with the defaults a quarter of the input's
    size for all but the last.

    Args:
        in_channels: Channels of each level, C_0 to C_{n-1}.
        out_channels: Number of keypoints, K.
        embed_channels: Channels of the embedding of one keypoint, by level.
            ``None`` takes the last n of (16, 8, 4, 4).
        upscale_factors: Heatmap cells for one feature cell, r_i, by level.
            ``None`` takes the last n of (8, 4, 2, 4).
        kernel_sizes: Size of the predictor's convolution, by level. ``None``
            is 11 - 2 * (n - i).
        loss: Config of the loss of one map; ``None`` is
            :class:`SeparableMSELoss` with target weights. All others get
            dense targets.
        loss_weights: Weight of the loss of lr and of each level's map, n + 1
            numbers. ``None`` is 1e-4 for lr and 1 for the others.
        decoder: Config of the codec.
        init_cfg: Initialization config; ``None`` draws every convolution from
            N(0, 0.001) with zero bias.

    Raises:
        ValueError: If the numbers of levels differ, the features' channels
            are not ``in_channels``, the last map has not the codec's size, or
            the data holds keypoints and no decoder makes heatmaps of them.

    Source: "Lightweight Super-Resolution Head for Human Pose Estimation",
    section 3.3.
    """

    def __init__(self,
                 in_channels: Sequence[int],
                 out_channels: int,
                 embed_channels: Optional[Sequence[int]] = None,
                 upscale_factors: Optional[Sequence[int]] = None,
                 kernel_sizes: Optional[Sequence[int]] = None,
                 loss: OptConfigType = None,
                 loss_weights: Optional[Sequence[float]] = None,
                 decoder: OptConfigType = None,
                 init_cfg: OptConfigType = None):
        check_level_channels('SRPoseHead', in_channels)
        super().__init__(
            in_channels=in_channels,
            out_channels=out_channels,
            deconv_out_channels=None,
            final_layer=None,
            loss=loss or dict(type='SeparableMSELoss', use_target_weight=True),
            decoder=decoder,
            init_cfg=init_cfg)
        levels = len(in_channels)
        if embed_channels is None:
            embed_channels = EMBED_CHANNELS[-levels:]
        if upscale_factors is None:
            upscale_factors = UPSCALE_FACTORS[-levels:]
        if kernel_sizes is None:
            kernel_sizes = [11 - 2 * (levels - i) for i in range(levels)]
        if loss_weights is None:
            loss_weights = [1e-4] + [1.] * levels
        for name, values, expected in (
            ('embed_channels', embed_channels, levels),
            ('upscale_factors', upscale_factors, levels),
            ('kernel_sizes', kernel_sizes, levels),
            ('loss_weights', loss_weights, levels + 1)):
            if len(values) != expected:
                raise ValueError(
                    f'SRPoseHead: expected {expected} {name} for {levels} '
                    f'levels of in_channels, got {len(values)}: {values}; '
                    'there are defaults for up to 4 levels')
        self.loss_weights = tuple(loss_weights)
        self.sr_blocks = nn.ModuleList(
            SRBlock(
                channels,
                out_channels,
                embed_channels=embed,
                upscale_factor=factor,
                kernel_size=kernel) for channels, embed, factor, kernel in zip(
                    in_channels, embed_channels, upscale_factors,
                    kernel_sizes))

    def forward(self, feats: Tuple[Tensor, ...]) -> Tensor:
        """The finest heatmaps (B, K, H, W) of the neck's outputs."""
        check_channels(
            type(self).__name__, feats[1:], self.in_channels)
        return self.sr_blocks[-1](feats[-1])

    def drop_training_blocks(self) -> None:
        """Keep the last SR block only, which is all that inference needs."""
        self.sr_blocks = self.sr_blocks[-1:]

    def forward_levels(self, feats: Tuple[Tensor, ...]) -> List[Tensor]:
        """Heatmaps of every level, coarse to fine.

        Args:
            feats: The neck's outputs, lr in shape (B, K, h_0, w_0) first.

        Returns:
            lr and the n levels' maps, the last in shape (B, K, H, W).
        """
        finest = self.forward(feats)
        coarser = [
            block(feat) for block, feat in zip(self.sr_blocks[:-1], feats[1:])
        ]
        return [feats[0], *coarser, finest]

    def loss(self,
             feats: Tuple[Tensor, ...],
             batch_data_samples: OptSampleList,
             train_cfg: OptConfigType = None) -> dict:
        """Losses of a batch, one for each map.

        The target of a map is the full target averaged over the cells that
        one of the map's cells covers.

        Args:
            feats: The neck's outputs, lr in shape (B, K, h_0, w_0) first.
            batch_data_samples: B samples with heatmaps (K, H, W), or keypoint
                labels (1, K, 2) of which the decoder makes them, and keypoint
                weights (1, K).
            train_cfg: ``compute_acc=False`` leaves the accuracy out.

        Returns:
            ``loss_lr``, ``loss_kpt_0`` to ``loss_kpt_{n-1}`` and, of the
            finest map, ``acc_pose``.
        """
        maps = self.forward_levels(feats)
        owner = type(self).__name__
        targets, weights = gather_targets(
            owner, batch_data_samples, self.decoder,
            isinstance(self.loss_module, SeparableMSELoss))
        for what, item in dict(neck=feats[0], data=targets).items():
            check_keypoints(owner, f'the {what}', item.shape[1],
                            self.out_channels)
        self._check_size(maps[-1], targets.shape[-2:])
        names = ['loss_lr', *(f'loss_kpt_{i}' for i in range(len(maps) - 1))]
        pooled = {tuple(targets.shape[-2:]): targets}
        losses = {}
        for name, heatmaps, weight in zip(names, maps, self.loss_weights):
            size = tuple(heatmaps.shape[-2:])
            if size not in pooled:
                pooled[size] = pool_targets(targets, size)
            losses[name] = weight * self.loss_module(heatmaps, pooled[size],
                                                     weights)
        if (train_cfg or {}).get('compute_acc', True):
            losses['acc_pose'] = pose_pck_accuracy(maps[-1], targets,
                                                   weights > 0)
        return losses

    def decode(self, batch_outputs: Tensor) -> InstanceList:
        """Heatmaps (B, K, H, W) to keypoints, see :class:`BaseHead`."""
        if self.decoder is not None:
            self._check_size(batch_outputs, self.decoder.heatmap_size[::-1])
        return super().decode(batch_outputs)

    def _check_size(self, heatmaps: Tensor, expected: Tuple[int, int]) -> None:
        """Check the size of the finest heatmaps against (H, W)."""
        check_heatmap_size(
            type(self).__name__,
            heatmaps,
            self.sr_blocks[-1].upscale_factor,
            expected,
            argument='the last of upscale_factors')
