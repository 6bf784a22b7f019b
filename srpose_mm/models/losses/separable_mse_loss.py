from typing import Iterator, Optional, Tuple, Union

import torch
from mmpose.models.losses import KeypointMSELoss
from mmpose.registry import MODELS
from torch import Tensor
from torch.autograd.function import once_differentiable

from srpose_mm.codecs.utils.gaussians import SeparableHeatmaps

# Cells that are processed at once: 16 MB of float32.
CHUNK = 2**22


@MODELS.register_module()
class SeparableMSELoss(KeypointMSELoss):
    """:class:`KeypointMSELoss` that does not need a dense target.

    With a :class:`SeparableHeatmaps` target, the gradient is the only array of
    the prediction's size. The loss is summed in float32 at least; the gradient
    has the prediction's dtype. With a dense target this is
    :class:`KeypointMSELoss`.

    Args:
        use_target_weight: Ignored, as in :class:`KeypointMSELoss`: weights
            apply whenever ``target_weights`` is passed.
        skip_empty_channel: Leave out heatmaps whose target is all zero.
        loss_weight: Weight of the loss.

    Raises:
        ValueError: If the shapes of a separable target, of its weights and of
            the prediction differ, or if a separable target has a pixel mask.
    """

    # Heads ask for this before they make a target dense.
    accepts_separable = True

    def forward(self,
                output: Tensor,
                target: Union[Tensor, SeparableHeatmaps],
                target_weights: Optional[Tensor] = None,
                mask: Optional[Tensor] = None) -> Tensor:
        """Return the mean over all cells of the weighted squared error.

        Args:
            output: Predicted heatmaps in shape (B, K, H, W).
            target: Target heatmaps in the same shape.
            target_weights: Weights in shape (B, K), or for dense targets also
                (B, K, H, W). ``None`` means equal weights.
            mask: Cells of dense targets that count, (B, 1 or K, H, W).
        """
        if isinstance(target, Tensor):
            return super().forward(output, target, target_weights, mask)
        self._check(output, target, target_weights, mask)
        errors = _SquaredError.apply(output, target.rows, target.columns)
        if target_weights is not None:
            errors = errors * target_weights
        if self.skip_empty_channel:
            errors = errors * ~target.empty()
        return errors.sum() / output.numel() * self.loss_weight

    def _check(self, output: Tensor, target: SeparableHeatmaps,
               target_weights: Optional[Tensor],
               mask: Optional[Tensor]) -> None:
        """Check the shapes that belong to a separable target."""
        name = type(self).__name__
        if output.shape != target.shape:
            raise ValueError(
                f'{name}: expected output of the target\'s shape '
                f'{tuple(target.shape)}, got {tuple(output.shape)}')
        if target_weights is not None and (
                target_weights.shape != output.shape[:2]):
            raise ValueError(
                f'{name}: expected target_weights in shape (B, K), '
                f'{tuple(output.shape[:2])}, got '
                f'{tuple(target_weights.shape)}; weights of single cells '
                'need target.dense()')
        if mask is not None:
            raise ValueError(
                f'{name}: expected no mask with a separable target, got one '
                f'in shape {tuple(mask.shape)}; a mask needs target.dense()')


class _SquaredError(torch.autograd.Function):
    """Squared error (B, K) of each heatmap, summed over its cells.

    The backward computes the differences again: to read the prediction twice
    is cheaper than to store the differences.
    """

    @staticmethod
    def forward(ctx, output: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
        ctx.save_for_backward(output, rows, columns)
        return torch.cat([
            torch.addcmul(*part, value=-1).square_().sum(dim=(2, 3))
            for part in _chunks(output, rows[..., None], columns[:, :, None])
        ])

    @staticmethod
    @once_differentiable
    def backward(ctx, grad_errors: Tensor) -> Tuple[Tensor, None, None]:
        output, rows, columns = ctx.saved_tensors
        gradient = torch.empty_like(output)
        for *part, factors, out in _chunks(output, rows[..., None],
                                           columns[:, :, None],
                                           2 * grad_errors[..., None, None],
                                           gradient):
            # torch before 2.2 cannot write to another type than it reads.
            same = out if out.dtype == rows.dtype else None
            errors = torch.addcmul(*part, value=-1, out=same).mul_(factors)
            if errors is not out:
                out.copy_(errors)
        return gradient, None, None


def _chunks(output: Tensor, *others: Tensor) -> Iterator[Tuple[Tensor, ...]]:
    """Split tensors along B into parts of about ``CHUNK`` cells."""
    samples = max(1, CHUNK // output[0].numel())
    return zip(*(tensor.split(samples) for tensor in (output, *others)))
