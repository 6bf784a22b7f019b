from typing import List, Optional, Sequence, Tuple, Union

import numpy as np
from mmpose.datasets.transforms import BottomupGetHeatmapMask
from mmpose.registry import TRANSFORMS
from pycocotools import mask as coco_mask

# Polygons [[x, y, ...], ...], or an RLE, compressed (text) or not (a list).
Segmentation = Union[List[Sequence[float]], dict, None]


@TRANSFORMS.register_module()
class BottomupGetValidMask(BottomupGetHeatmapMask):
    """Mask crowds and instances without keypoints out of the training.

    Differs from :class:`BottomupGetHeatmapMask` in one respect: run-length
    encoded segmentations are masked too. COCO writes its crowd regions in
    this form, which the stock transform skips, so that the keypoints inside
    are trained as background.

    Required keys: ``img_shape``, ``input_size``; optional: ``invalid_segs``,
    ``warp_mat``, ``flip``, ``flip_direction``, ``heatmaps``. Added key:
    ``heatmap_mask``, bool in shape (H, W), False where nothing is trained.

    Args:
        get_invalid: Return the inverse mask.

    Raises:
        ValueError: If an RLE was made for an image of another size.
    """

    def _segs_to_mask(self, segs: Sequence[Segmentation],
                      img_shape: Tuple[int, int]) -> np.ndarray:
        """Return the union of segmentations, uint8 in shape (h, w)."""
        img_hw = tuple(img_shape[:2])
        rles = [self._to_rle(seg, img_hw) for seg in segs]
        rles = [rle for rle in rles if rle is not None]
        if not rles:
            return np.zeros(img_hw, dtype=np.uint8)
        return coco_mask.decode(coco_mask.merge(rles))

    def _to_rle(self, seg: Segmentation,
                img_hw: Tuple[int, int]) -> Optional[dict]:
        """Return a compressed RLE, or ``None`` if ``seg`` is empty."""
        if not seg:
            return None
        if not isinstance(seg, dict):
            return coco_mask.merge(coco_mask.frPyObjects(list(seg), *img_hw))
        if tuple(seg['size']) != img_hw:
            raise ValueError(
                f'{type(self).__name__}: expected the RLE of an image of '
                f'height and width {img_hw}, got one of {tuple(seg["size"])}; '
                'correct the size in the annotation file or the image')
        if isinstance(seg['counts'], (str, bytes)):
            return seg
        return coco_mask.frPyObjects(seg, *img_hw)
