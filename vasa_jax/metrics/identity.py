"""Whether a face stays that person: cosine of face recognition codes (ArcFace protocol, Deng et al. 2019).

The network is the user's file (ONNX, a 112 x 112 face in, a code out, for instance MobileFaceNet); none is shipped.
"""

import os
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax import landmarks
from vasa_jax.errors import InputError
from vasa_jax.recognition import SIDE, TEMPLATE, alignment_marks

NOSE = (56.03, 71.74)
"""Where they expect the tip of the nose."""
_TIP = 6  # of the points of the nose, see `landmarks.GROUPS`: MediaPipe's 1


def alignment_points(points: Float[np.ndarray, "*t k 3"]) -> Float[np.ndarray, "*t 4 2"]:
    """`alignment_marks` as they lie in the image."""
    return alignment_marks(points)[..., :2]


def similarity(source: Float[np.ndarray, "n 2"], target: Float[np.ndarray, "n 2"]) -> Float[np.ndarray, "2 3"]:
    """Least-squares rotation, scale and shift that carries `source` onto `target`, for cv2.warpAffine."""
    # x' = a x - b y + c, y' = b x + a y + d is linear in (a, b, c, d).
    x, y = np.asarray(source, np.float64).T
    one, zero = np.ones_like(x), np.zeros_like(x)
    rows = np.concatenate([np.stack([x, -y, one, zero], 1), np.stack([y, x, zero, one], 1)])
    a, b, c, d = np.linalg.lstsq(rows, np.asarray(target, np.float64).T.reshape(-1), rcond=None)[0]
    return np.asarray([[a, -b, c], [b, a, d]])


def aligned_face(
    image: UInt8[np.ndarray, "h w 3"], points: Float[np.ndarray, "k 3"], nose: bool = False
) -> UInt8[np.ndarray, "112 112 3"]:
    """The face as recognition networks want it; `points` are crop-normalised, the image spans -1..1.

    With `nose`, its tip is the fifth of the marks, as ArcFace has it; without, eyes and corners of the mouth.
    """
    size = image.shape[1]
    marks, template = alignment_points(points), TEMPLATE
    if nose:
        tip = points[landmarks.SLICES["nose"]][_TIP, :2]
        marks, template = np.concatenate([marks, tip[None]]), np.concatenate([TEMPLATE, [NOSE]])
    pixels = (marks + 1) * size / 2 - 0.5  # pixel centres are whole numbers in OpenCV
    matrix = similarity(pixels, template)
    return cv2.warpAffine(image, matrix, (SIDE, SIDE), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)


class FaceRecogniser:
    """A recognition network of the user's, run by OpenCV.

    Args:
      path: ONNX file; input [1, 3, 112, 112], RGB, (x - 127.5) / 128.

    Raises:
      InputError: the file is missing or cannot be read.
    """

    def __init__(self, path: str | os.PathLike):
        if not Path(path).is_file():
            raise InputError(f"{path}: no such file; give --identity_model a face recognition network (ONNX, 112 px)")
        try:
            self._network = cv2.dnn.readNetFromONNX(os.fspath(path))
        except cv2.error as error:
            raise InputError(f"{path}: OpenCV cannot read this network ({str(error).splitlines()[0]})") from error

    def code(self, face: UInt8[np.ndarray, "112 112 3"]) -> Float[np.ndarray, " d"]:
        """Code of unit length of an aligned face."""
        self._network.setInput(((face.astype(np.float32) - 127.5) / 128.0).transpose(2, 0, 1)[None])
        code = self._network.forward().reshape(-1).astype(np.float64)
        return code / max(float(np.linalg.norm(code)), 1e-12)


def cosine(a: Float[np.ndarray, "*#b d"], b: Float[np.ndarray, "*#b d"]) -> Float[np.ndarray, "*b"] | np.floating:
    """Cosine of codes: 1 the same, about 0 for strangers."""
    scale = np.linalg.norm(a, axis=-1) * np.linalg.norm(b, axis=-1)
    return (a * b).sum(-1) / np.maximum(scale, 1e-12)
