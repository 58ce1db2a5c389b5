"""The square that is cut out of a video: one for the whole clip, so that the head moves in it as it really moved."""

import dataclasses

import numpy as np
from PIL import Image

from data_pipelines import schema
from vasa_jax import landmarks


@dataclasses.dataclass(frozen=True)
class CropBox:
    """Centre and half side of the inner crop, in pixels of the video; `z` is the depth that becomes 0."""

    x: float
    y: float
    z: float
    half: float

    def normalise(self, points: np.ndarray) -> np.ndarray:
        """Pixels [..., 3] to crop-normalised coordinates."""
        return ((points - [self.x, self.y, self.z]) / self.half).astype(np.float32)


def find_crop(points: np.ndarray) -> CropBox:
    """The crop in which the clip's median `landmarks.fit_pose` has scale 1 and translation 0.

    A similarity transform of the points changes scale and translation of the fit likewise, so the fit in pixels
    is the answer. Depth is relative in every tracker; its origin is set by the same rule.

    Args:
      points: [t, K, 3] in pixels, of frames in which the face was found.
    """
    x, y, z, scale = np.median(landmarks.fit_pose(points)[:, 3:].astype(np.float64), axis=0)
    return CropBox(float(x), float(y), float(z), float(scale))


def cut(image: np.ndarray, box: CropBox, size: int, margin: float = schema.MARGIN) -> np.ndarray:
    """Cuts the box with its margin out of an image; edge pixels are repeated where it reaches beyond.

    Args:
      image: uint8 [h, w, 3].
      box: the inner crop.
      size: pixels of the result's side.
      margin: the result spans -margin..margin in the box's coordinates.

    Returns:
      uint8 [size, size, 3].
    """
    reach = box.half * margin
    left, top, right, bottom = box.x - reach, box.y - reach, box.x + reach, box.y + reach
    height, width = image.shape[:2]
    before_x, before_y = max(0, int(np.ceil(-left))), max(0, int(np.ceil(-top)))
    after_x, after_y = max(0, int(np.ceil(right - width))), max(0, int(np.ceil(bottom - height)))
    if before_x or before_y or after_x or after_y:
        image = np.pad(image, ((before_y, after_y), (before_x, after_x), (0, 0)), mode="edge")
    edges = (left + before_x, top + before_y, right + before_x, bottom + before_y)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BICUBIC, box=edges))
