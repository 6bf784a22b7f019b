from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class CheckDatasetHook(Hook):
    """Say what is wrong with the training data before it is trained on.

    What :func:`srpose_mm.check_data.check_dataset` finds is logged, with file, image
    and annotation of each fault and what training does about it: who is left
    out, what counts for nothing, and which targets are wrong. A fault that
    stops MMPose from loading the data has ended the run before. Of several
    processes the first one checks while the others wait, for as long as their
    backend lets them; opening all images can be too long for that.

    Args:
        enable: Whether it does anything.
        images: Whether each image is opened, and not only looked for.
        limit: How many faults of a kind are logged; the numbers are of all.
    """

    def __init__(self,
                 enable: bool = True,
                 images: bool = False,
                 limit: int = 10):
        self.enable = enable
        self.images = images
        self.limit = limit

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Check the data set of the training's loader."""
        if not self.enable:
            return
        # The tools' functions import this package.
        from srpose_mm.check_data import format_checked
        from srpose_mm.check_data.check_dataset import check_dataset
        try:
            checked = check_dataset(runner.cfg, ['train'], self.images)
        # What the check cannot read the training may: it goes on.
        except Exception as err:
            runner.logger.warning(
                f'CheckDatasetHook: the data was not checked: {err!r}')
            return
        found = any(part.faults for part in checked)
        log = runner.logger.warning if found else runner.logger.info
        log('CheckDatasetHook: ' + format_checked(checked, self.limit))
