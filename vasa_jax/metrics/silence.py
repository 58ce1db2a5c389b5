"""Whether the mouth closes when nothing is said."""

import numpy as np
from jaxtyping import Bool, Float

SETTLING = 5
"""Frames after the last audio in which a mouth may still be closing (0.2 s)."""


def opening_in_silence(
    opening: Float[np.ndarray, " t"], spoken: Bool[np.ndarray, " t"], silent: Bool[np.ndarray, " t"]
) -> dict[str, float]:
    """Mean mouth opening in speech and in silence, and their ratio (0 closed, 1 as open as when it speaks).

    Args:
      opening: share of the face's height.
      spoken, silent: frames of speech and of a pause; the first SETTLING frames of every pause are left out.
    """
    settled = np.asarray(silent, bool).copy()
    for _ in range(SETTLING):
        settled[1:] &= settled[:-1].copy()
        settled[0] = False
    speech = float(np.mean(opening[spoken])) if np.any(spoken) else float("nan")
    pause = float(np.mean(opening[settled])) if settled.any() else float("nan")
    return {"speech": speech, "silence": pause, "ratio": pause / speech if speech > 1e-9 else float("nan")}
