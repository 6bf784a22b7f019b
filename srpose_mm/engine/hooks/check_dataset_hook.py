from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from mmpose.registry import HOOKS


@HOOKS.register_module()
class CheckDatasetHook(Hook):
    """Log faults of the training data before training starts.

    The log has the report of :func:`srpose_mm.check_data.check_dataset`. If a
    fault stops MMPose while it loads the data, the run ends before any hook.
    In distributed training, rank 0 checks while the other ranks wait, at most
    for the timeout of their backend; opening all images can take longer.

    Args:
        enable: Check the data.
        images: Open each image instead of only checking that it exists.
        limit: Number of faults of a kind that are listed.
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
        """Check the dataset of the training data loader."""
        if not self.enable:
            return
        # Trainings without the check do not import the package.
        from srpose_mm.check_data import check_dataset, format_reports
        try:
            reports = check_dataset(runner.cfg, ['train'], self.images)
        # Training may understand data that the check does not.
        except Exception as err:
            runner.logger.warning(
                f'{type(self).__name__}: the data was not checked: {err!r}')
            return
        faulty = any(report.faults for report in reports)
        log = runner.logger.warning if faulty else runner.logger.info
        log(f'{type(self).__name__}: {format_reports(reports, self.limit)}')
