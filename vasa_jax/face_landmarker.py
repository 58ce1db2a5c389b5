"""MediaPipe's face landmarker: opened from its task file, and asked about an image."""

import os
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.errors import InputError


def open_landmarker(path: str | os.PathLike, **options: Any) -> Any:
    """A landmarker for single images.

    Args:
      path: face_landmarker.task.
      options: of `mediapipe.tasks.vision.FaceLandmarkerOptions`.

    Raises:
      InputError: the package is not installed, or the file is no face landmarker.
    """
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError as error:
        raise InputError(
            f"--face_model={path} needs the package mediapipe ({error}): pip install 'vasa_jax[prepare]'"
        ) from None
    try:
        base = BaseOptions(model_asset_path=os.fspath(path))
        return vision.FaceLandmarker.create_from_options(vision.FaceLandmarkerOptions(base_options=base, **options))
    except (RuntimeError, ValueError, OSError):
        raise InputError(f"{path} is not a MediaPipe face landmarker: give face_landmarker.task") from None


def look(landmarker: Any, image: UInt8[np.ndarray, "h w 3"]) -> Any:
    """What MediaPipe found in an image (FaceLandmarkerResult). It misses faces in small ones: enlarge those first."""
    import mediapipe

    return landmarker.detect(mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(image)))


def points_of(result: Any) -> Float[np.ndarray, "n k 3"]:
    """The points of the faces found: x and y as shares of width and height, z in the unit of x."""
    return np.asarray([[(p.x, p.y, p.z) for p in face] for face in result.face_landmarks], np.float32)
