"""Whether generated motion moves as much as real motion, and differs where nothing determines it."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vasa_jax.metrics import angles, mouth_changes

_TINY = 1e-9


def movement(clips: Sequence[Float[np.ndarray, "t m"]]) -> Float[np.ndarray, " m"]:
    """Standard deviation within clips of every value of the motion: each clip about its own mean, all frames pooled."""
    centred = np.concatenate([np.asarray(clip, np.float64) - np.mean(clip, 0) for clip in clips])
    return np.sqrt(np.square(centred).mean(0))


def movement_ratio(
    made: Sequence[Float[np.ndarray, "t m"]], real: Sequence[Float[np.ndarray, "t m"]]
) -> Float[np.ndarray, " m"]:
    """`movement` of made over real motion, per value: 1 as lively as real, 0 frozen; NaN where real does not move."""
    above, below = movement(made), movement(real)
    return np.where(below > _TINY, above / np.maximum(below, _TINY), np.nan)


def head_difference(a: Float[np.ndarray, "t 3"], b: Float[np.ndarray, "t 3"]) -> dict[str, float]:
    """How two head motions (Euler angles per frame, radians) differ.

    Returns:
      "degrees": mean angle between the heads of a frame; "correlation": of the changes of pitch and yaw, best lag
      within two frames, averaged: 1 for the same motion, near 0.1 for unrelated ones.
    """
    t = min(len(a), len(b))
    a, b = a[:t], b[:t]
    found = [mouth_changes.change_correlation(a[:, axis], b[:, axis]) for axis in (0, 1)]
    known = [value for value in found if np.isfinite(value)]
    return {
        "degrees": float(angles.rotation_error(a, b).mean()),
        "correlation": float(np.mean(known)) if known else float("nan"),
    }
