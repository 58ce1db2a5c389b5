"""How real codes go as lids close and as lips move: what a release keeps as `motion_stats["blink"]` and `["lips"]`.

For `vasa_jax.inference.blinks` and `vasa_jax.inference.starting_noise`.
"""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.errors import InputError
from vasa_jax.inference.blinks import MOUTH_KEPT

_FEWEST = 1000
_RIDGE = 1e-3  # the two lids close together, and their difference is not to be learned from noise


def blink(path: str | Path, head: dict[str, Any]) -> Float[np.ndarray, " d"]:
    """The likeliest change of a code that closes the lids by one and leaves the mouth as it is.

    Of all the changes that do so by the label head, the one that real codes make most easily: the smallest by the
    covariance of codes about their clip's mean. The smallest by any other measure closes the lids in the reading and
    hardly in the picture. What the eyes do meanwhile is left to the data: they turn down as lids close.

    Args:
      path: latents cache of real people by this face model (`vasa-prepare --stage=latents`); its training frames count.
      head: the face model's label head: "kernel" [d, 6].

    Raises:
      InputError: it is no such cache, or holds too few frames.
    """
    code = _within_clips(path)
    kernel = np.asarray(head["kernel"], np.float64)[:, : len(MOUTH_KEPT)]
    spread = code.T @ code @ kernel / len(code)
    gram = kernel.T @ spread
    return spread @ np.linalg.solve(gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), MOUTH_KEPT)


def lips(path: str | Path, head: dict[str, Any], std: Float[np.ndarray, " d"]) -> Float[np.ndarray, "2 d"]:
    """Orthonormal directions of the standardised code that vary with the opening and the rounding of the mouth.

    Not those that the label head reads it off: what is random along them alone hardly moves the lips that are made
    (correlation with the real ones 0.625 with them cooled, 0.625 without, 0.654 with these; docs/evaluation.md).

    Args:
      path, head: as of `blink`.
      std: of the codes in the statistics that the motion model standardises by.

    Raises:
      InputError: as `blink`.
    """
    code = _within_clips(path)
    spread = code.T @ (code @ np.asarray(head["kernel"], np.float64)[:, :2])
    return np.linalg.qr(spread / np.asarray(std, np.float64)[:, None])[0].T


def _within_clips(path: str | Path) -> Float[np.ndarray, "n d"]:
    """Codes of a cache's training frames about their clip's mean."""
    try:
        with np.load(path) as cache:
            lengths = np.diff(cache["offsets"])
            used = cache["valid"].astype(bool) & np.repeat(cache["split"] == "train", lengths)
            code, clip = cache["motion"][used, 7:].astype(np.float64), np.repeat(np.arange(len(lengths)), lengths)[used]
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no latents cache ({error}); make one with vasa-prepare --stage=latents") from error
    if len(code) < _FEWEST:
        raise InputError(f"{path}: {len(code)} training frames are too few to see blinks in; {_FEWEST:,} are needed")
    _, clip, count = np.unique(clip, return_inverse=True, return_counts=True)
    means = np.zeros((len(count), code.shape[1]))
    np.add.at(means, clip, code)
    return code - (means / count[:, None])[clip]
