"""What every labelling network has in common: the interface, and how a face is cut out for it."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

IMAGENET_MEAN = np.asarray([0.485, 0.456, 0.406], np.float32)
IMAGENET_STD = np.asarray([0.229, 0.224, 0.225], np.float32)
"""Of RGB in 0..1; the networks were trained on images normalised by these."""

Frames = Sequence[np.ndarray] | np.ndarray
"""Pictures [h, w, 3], or an array [t, h, w, 3] of them; `check` says what is wrong with others."""


@runtime_checkable
class FrameNetwork(Protocol):
    """Labels successive frames of one clip: all of them, or a part of a long one.

    Attributes:
      labels: the names that a call returns.
    """

    labels: tuple[str, ...]

    def __call__(self, frames: Frames, points: Float[np.ndarray, "t k 3"]) -> dict[str, np.ndarray]:
        """Labels frames; its memory does not grow with the clip beyond the labels themselves.

        Args:
          frames: t RGB images uint8 [h, w, 3], all of one size: an array [t, h, w, 3], or a list. The more pixels
            the face has the better the labels: images of the video's own size rather than crops of 80 px.
          points: the face, `vasa_jax.landmarks` points in pixels of these images (the outer edge of the first
            pixel is 0, z in the same unit), finite everywhere (`labels.fill_gaps`).

        Returns:
          Label -> array [t, ...] in the units of `data_pipelines.schema`, or of the network's own docstring.
        """


def check(frames: Frames, points: np.ndarray) -> None:
    """Raises ValueError where a call does not keep to `FrameNetwork`."""
    if len(frames) != len(points) or not len(frames):
        raise ValueError(f"{len(frames)} frames and points of {len(points)}: want the same number, at least one")
    if frames[0].dtype != np.uint8 or frames[0].ndim != 3 or frames[0].shape[-1] != 3:
        raise ValueError(f"frames of {frames[0].dtype} {frames[0].shape}: want uint8 [h, w, 3]")
    if not np.isfinite(points).all():
        raise ValueError("points are not finite: fill the gaps of the track first")


def face_box(points: Float[np.ndarray, "k 3"], width: int, height: int) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) of a face's points in pixels, within the image and no side below two pixels."""
    left, top = points[:, :2].min(0)
    right, bottom = points[:, :2].max(0)
    left, top = np.clip(left, 0, width - 2), np.clip(top, 0, height - 2)
    return float(left), float(top), float(np.clip(right, left + 2, width)), float(np.clip(bottom, top + 2, height))


def cut_face(
    image: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "k 3"], size: int
) -> UInt8[np.ndarray, "size size 3"]:
    """The face's box stretched to a square: gaze and emotion networks learned from faces cut out by a detector."""
    height, width = image.shape[:2]
    box = face_box(points, width, height)
    return np.asarray(Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=box))
