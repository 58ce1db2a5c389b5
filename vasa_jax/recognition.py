"""How face recognition networks want a face (ArcFace protocol, Deng et al. 2019): its size and where its marks lie."""

import numpy as np
from jaxtyping import Float

from vasa_jax import landmarks

SIDE = 112
TEMPLATE = np.asarray([[38.29, 51.70], [73.53, 51.50], [41.55, 92.37], [70.73, 92.20]], np.float32)
"""Where the networks expect eyes and corners of the mouth (left and right of the image) in a face of 112 px."""


def alignment_marks(points: Float[np.ndarray, "*t k 3"]) -> Float[np.ndarray, "*t 4 3"]:
    """Middles of the eyes and corners of the mouth, in the unit of the points, in the order of TEMPLATE."""
    eyes = [points[..., landmarks.SLICES[name], :].mean(-2) for name in ("eye_left", "eye_right")]
    lips = landmarks.SLICES["lips_outer"].start
    corners = [points[..., lips, :], points[..., lips + 10, :]]
    return np.stack(eyes + corners, -2)
