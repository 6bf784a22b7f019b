from typing import Optional, Tuple

import numpy as np


def usable_keypoints(
        keypoints: np.ndarray,
        visible: Optional[np.ndarray]) -> Tuple[np.ndarray, np.ndarray]:
    """Make keypoints safe to encode, whatever the annotations hold.

    Args:
        keypoints: Coordinates in shape (N, K, 2). Not changed.
        visible: Visibility in shape (N, K); ``None`` means all visible. Not
            changed.

    Returns:
        New arrays in the same shapes, float32: finite coordinates, and
        visibility that is 0 where the given one is below 0.5 or not finite,
        or where a coordinate is not finite.
    """
    if visible is None:
        visible = np.ones(keypoints.shape[:2], dtype=np.float32)
    finite = np.isfinite(keypoints).all(axis=-1)
    usable = finite & np.isfinite(visible) & (np.nan_to_num(visible) >= 0.5)
    keypoints = np.where(finite[..., None], keypoints, 0)
    visible = np.where(usable, visible, 0).astype(np.float32)
    # Far beyond any map, and still an integer that NumPy can hold.
    return np.clip(keypoints, -1e6, 1e6).astype(np.float32), visible


def reaches_map(centres: np.ndarray, size: Tuple[int, int],
                sigma: float) -> np.ndarray:
    """Which Gaussians, of 3 sigma, reach a heatmap; MMPose's rule.

    Args:
        centres: Their centres in shape (N, K, 2), in heatmap cells.
        size: (W, H) of the heatmap.
        sigma: Standard deviation in cells.

    Returns:
        bool in shape (N, K).
    """
    radius = 3 * sigma
    outside = (centres - radius >= size) | (centres + radius + 1 < 0)
    return ~outside.any(axis=-1)
