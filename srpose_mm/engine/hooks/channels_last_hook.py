from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner
from mmpose.registry import HOOKS

from srpose_mm.models.layers import use_channels_last


@HOOKS.register_module()
class ChannelsLastHook(Hook):
    """Keep the weights of convolutions in channels-last memory.

    Convolutions follow the layout of their weights. On CPUs the grouped
    convolutions of super-resolution heads run about three times as fast in
    this layout. Results differ in their last bits. In several processes the
    hook does nothing: DDP's gradient buckets have the default layout.
    """

    def before_run(self, runner: Runner) -> None:
        """Convert the weights."""
        if is_model_wrapper(runner.model):
            runner.logger.info('ChannelsLastHook does nothing in several '
                               'processes')
        else:
            use_channels_last(runner.model)
