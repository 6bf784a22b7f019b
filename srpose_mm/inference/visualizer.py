import numpy as np
from mmengine.dist import master_only
from mmpose.registry import VISUALIZERS
from mmpose.visualization import PoseLocalVisualizer


@VISUALIZERS.register_module()
class KeypointVisualizer(PoseLocalVisualizer):
    """MMPose's visualizer for every version of numpy.

    ``PoseLocalVisualizer`` passes each radius as an array (1, ), which its
    OpenCV backend converts by ``int``. numpy 2.4 refuses that conversion.
    """

    @master_only
    def draw_circles(self, center: np.ndarray, radius: np.ndarray,
                     **kwargs) -> None:
        """Draw a circle at ``center`` (2, ) in image px."""
        super().draw_circles(center, np.squeeze(radius), **kwargs)
