"""How codes go as lids close, for `vasa_jax.inference.blinks`: what a release keeps as `motion_stats["blink"]`."""

from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.errors import InputError
from vasa_jax.inference.blinks import MOUTH_KEPT

_FEWEST = 1000
_RIDGE = 1e-3  # the two lids close together, and their difference is not to be learned from noise


def fit(path: str | Path, head: dict[str, Any]) -> Float[np.ndarray, " d"]:
    """The likeliest change of a code that closes the lids by one and leaves the mouth as it is.

    Of all the changes that do so by the label head, the one that real codes make most easily: the smallest by the
    covariance of codes about their clip's mean. The smallest by any other measure closes the lids in the reading and
    hardly in the picture. What the eyes do meanwhile is left to the data: they turn down as lids close.

    Args:
      path: latents cache of real people by this face model (`vasa-prepare --stage=latents`); its training frames count.
      head: the face model's label head: "kernel" [d, 6].
    """
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
    code = code - (means / count[:, None])[clip]
    kernel = np.asarray(head["kernel"], np.float64)[:, : len(MOUTH_KEPT)]
    spread = code.T @ code @ kernel / len(code)
    gram = kernel.T @ spread
    return spread @ np.linalg.solve(gram + _RIDGE * np.trace(gram) / len(gram) * np.eye(len(gram)), MOUTH_KEPT)
