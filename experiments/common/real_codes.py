"""How real codes go as lids close and as mouths open, and where they leave room for gaze and expressions.

What a release keeps as `motion_stats["blink"]`, `["opening"]`, `["lips"]`, `["gaze"]` and `["expressions"]`, for
`blinks`, `closing`, `starting_noise` and `leading` of `vasa_jax.inference`.
"""

from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from vasa_jax.errors import InputError
from vasa_jax.inference.blinks import MOUTH_KEPT
from vasa_jax.training.expressions import CHANNELS
from vasa_jax.training.task import Params

_FEWEST = 1000
_GAZE_GAIN, _EXPRESSION_GAIN = 24.0, 12.0
"""Standard deviations of the code a radian, and a unit. A weight that starts at zero has to grow as far as what it is
multiplied by is small: with a quarter of these, 450 steps taught nothing."""
_ZERO = 1e-6  # of the largest singular value
_RIDGE = 1e-3  # the two lids close together, and their difference is not to be learned from noise


def told(path: str | Path, head: dict[str, Any], std: Float[np.ndarray, " d"]) -> dict[str, Any]:
    """What a release keeps of lids and mouth: "blink", "opening" and "lips"."""
    return {"blink": blink(path, head), "opening": opening(path, head), "lips": lips(path, head, std)}


def blink(path: str | Path, head: dict[str, Any]) -> Float[np.ndarray, " d"]:
    """The likeliest change of a code that closes the lids by one and leaves the mouth as it is.

    Of all the changes that do so by the label head, the one that real codes make most easily: the smallest by the
    covariance of codes about their clip's mean. The smallest by any other measure closes the lids in the reading and
    hardly in the image. What the eyes do meanwhile is left to the data: they turn down as lids close.

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


def opening(path: str | Path, head: dict[str, Any]) -> Float[np.ndarray, " d"]:
    """The likeliest change of a code that opens the mouth by one, rounding and lids as they then are in real codes.

    The smallest change that the label head reads as an open mouth opens none in images (docs/findings.md).

    Args:
      path, head: as of `blink`.

    Raises:
      InputError: as `blink`.
    """
    code = _within_clips(path)
    read = code @ np.asarray(head["kernel"], np.float64)[:, 0]
    return code.T @ read / (read @ read)


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


def unused(path: str | Path, face: Params, std: Float[np.ndarray, " d"], count: int) -> Float[np.ndarray, "n d"]:
    """Directions that codes leave unused: room for what is written over them, such as the gaze.

    Codes of few people fill few of their directions (14 of 32 of the bundled ones) and hardly tell gaze or expression.
    These are the directions along which real codes vary least, of those that neither the label head reads nor a pose
    adds to; orthonormal in standard deviations, each as long as one of them.

    Args:
      path, std: as of `lips`.
      face: parameters of the face model.
      count: how many.

    Raises:
      InputError: as `blink`; or there are not so many.
    """
    std = np.asarray(std, np.float64)
    taken = [np.asarray(face["label_head"]["kernel"], np.float64) * std[:, None]]
    if "pose_share" in face:
        taken += [np.asarray(kernel, np.float64).T / std[:, None] for kernel in jax.tree.leaves(face["pose_share"])]
    directions, sizes, _ = np.linalg.svd(np.concatenate(taken, 1))
    free = directions[:, int((sizes > _ZERO * sizes[0]).sum()) :]
    if free.shape[1] < count:
        raise InputError(
            f"{path}: codes of {len(std)} values leave {free.shape[1]} directions unused, {count} are needed"
        )
    code = _within_clips(path) / std @ free
    return std * (free @ np.linalg.eigh(code.T @ code)[1][:, :count]).T


def led(path: str | Path, face: Params, std: Float[np.ndarray, " d"]) -> tuple[dict[str, Any], Params]:
    """What a release keeps to lead gaze and expressions, and the face model with warps that do not answer to them.

    Where nothing is led, its images stay as they are: codes that it learned from do not vary there (`unused`).

    Args:
      path, face, std: as of `unused`.

    Returns:
      "gaze" [2, d]: change of a code per radian aside and up; "expressions" [c, d]: per unit of `expressions.CHANNELS`.
    """
    rows = unused(path, face, std, 2 + len(CHANNELS))
    readings = rows / np.square(np.asarray(std, np.float64))  # of a code, what stands along each row
    changed = dict(face)
    for warp in ("warp_in", "warp_out"):
        kernel = np.asarray(face[warp]["Dense_0"]["kernel"], np.float64)
        kernel = (kernel - readings.T @ (rows @ kernel)).astype(np.float32)
        changed[warp] = face[warp] | {"Dense_0": face[warp]["Dense_0"] | {"kernel": kernel}}
    return {"gaze": _GAZE_GAIN * rows[:2], "expressions": _EXPRESSION_GAIN * rows[2:]}, changed


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
