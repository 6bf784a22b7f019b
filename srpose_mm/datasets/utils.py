import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Union

from PIL import Image


def keypoint_names(metainfo: Dict[str, Any]) -> List[str]:
    """Return the names of the keypoints of parsed metainfo, in order."""
    names = metainfo['keypoint_id2name']
    return [names[index] for index in range(len(names))]


def image_damage(path: Union[str, Path]) -> Optional[str]:
    """Return the reason why Pillow cannot decode an image of a known format.

    Some versions of OpenCV decode a truncated image without an error.
    """
    try:
        with Image.open(path) as image:
            image.load()
    except Image.UnidentifiedImageError:
        return None if os.path.getsize(path) else 'the file is empty'
    except (OSError, SyntaxError) as err:
        return str(err)
    # Limits of Pillow, such as 179 megapixels or a megabyte of text in a PNG,
    # are no damage.
    except Exception:
        return None
    return None
