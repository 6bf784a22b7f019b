from typing import Any, Iterator

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.datasets.transforms import GenerateTarget
from mmpose.registry import HOOKS

from srpose_mm.models.heads.base_sr_head import SRHeadMixin


@HOOKS.register_module()
class CheckTargetsHook(Hook):
    """Check that dataset, encoder and head fit, before training starts.

    Without the hook, MMPose stops at the first batch with an error that does
    not name the cause. Images are not read.

    Raises:
        ValueError: If the annotations and the metainfo of a dataset differ
            in their number of keypoints, if an encoder has
            ``target='keypoints'`` and the head cannot make heatmaps of them,
            or if a head of this package has several encoders.
    """

    def before_train(self, runner: Runner) -> None:
        """Check each dataset of the training's loader."""
        model = runner.model
        if is_model_wrapper(model):
            model = model.module
        for dataset in _datasets(runner.train_dataloader.dataset):
            self._check_metainfo(dataset)
            self._check_encoders(dataset, model.head)

    @staticmethod
    def _check_metainfo(dataset: Any) -> None:
        """Compare the first annotation with the metainfo."""
        described = getattr(dataset, 'metainfo', {}).get('num_keypoints')
        # Wrappers have the metainfo of their dataset, but no annotations.
        annotations = getattr(dataset, 'ann_file', None)
        if described is None or not annotations or not len(dataset):
            return
        annotated = dataset.get_data_info(0)['keypoints'].shape[-2]
        if annotated != described:
            raise ValueError(
                f'CheckTargetsHook: expected metainfo of {annotated} '
                f'keypoints, as many as {annotations} holds, got '
                f'{described} from {type(dataset).__name__}; set metainfo of '
                'the dataset to the file that describes its keypoints')

    @staticmethod
    def _check_encoders(dataset: Any, head: Any) -> None:
        """Compare what the encoders make with what the head can use."""
        pipeline = getattr(dataset, 'pipeline', None)
        name = type(head).__name__
        for step in getattr(pipeline, 'transforms', ()):
            if not isinstance(step, GenerateTarget):
                continue
            encoders = step.encoder
            encoders = encoders if isinstance(encoders, list) else [encoders]
            if isinstance(head, SRHeadMixin):
                if len(encoders) > 1:
                    raise ValueError(
                        'CheckTargetsHook: expected one encoder in '
                        f'GenerateTarget for {name}, got {len(encoders)}; '
                        'write encoder=codec')
            elif 'keypoints' in [getattr(encoder, 'target', None)
                                 for encoder in encoders]:
                raise ValueError(
                    'CheckTargetsHook: expected a head that makes heatmaps of '
                    f'keypoints, such as SRHead, got {name}; write '
                    'target=\'heatmaps\' in the codec, or change the head')


def _datasets(dataset: Any) -> Iterator[Any]:
    """Yield a dataset and those that it wraps."""
    yield dataset
    wrapped = getattr(dataset, 'datasets', None)
    if wrapped is None:
        wrapped = [dataset.dataset] if hasattr(dataset, 'dataset') else []
    for part in wrapped:
        yield from _datasets(part)
