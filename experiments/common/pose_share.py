"""Takes out of a face model's dynamics code what the head pose tells of it (`vasa_jax.models.dynamics_encoder`)."""

import copy
import dataclasses
from pathlib import Path
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from vasa_jax.errors import InputError
from vasa_jax.models.dynamics_encoder import pose_terms

_RIDGE = 1e-6


@dataclasses.dataclass(frozen=True)
class Fit:
    """Regression of the code on `pose_terms`, and the share of the code's variance that it explains."""

    kernel: Float[np.ndarray, "9 d"]
    explained: float
    frames: int


def fit(path: str | Path) -> Fit:
    """Least squares over the training frames of a latents cache (`vasa-prepare --stage=latents`).

    The known mouth and lids are regressed on beside the pose, and their part stays in the code: heads nod when they
    speak, and without them that would be taken for the pose's (a mouth then moves with the pose by 4 % of its range,
    with them by 1 %). The cache should be of procedural heads: real eyes turn against the head, and how much of that is
    the face's own a regression cannot tell.
    """
    try:
        with np.load(path) as cache:
            used = cache["valid"].astype(bool) & np.repeat(cache["split"] == "train", np.diff(cache["offsets"]))
            motion, mouth, lids = (cache[name][used].astype(np.float64) for name in ("motion", "mouth", "lids"))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no latents cache ({error}); make one with vasa-prepare --stage=latents") from error
    if len(motion) < 1000:
        raise InputError(f"{path}: {len(motion)} training frames are too few to tell pose from code; 1,000 are needed")
    face = np.concatenate([(x - x.mean(0)) / np.maximum(x.std(0), 1e-6) for x in (mouth, lids)], -1)
    terms = np.asarray(jax.jit(pose_terms)(motion[:, :7]), np.float64)
    known = np.concatenate([terms, face, face**2, face[:, :1] * face[:, 1:2]], -1)
    known, code = known - known.mean(0), motion[:, 7:] - motion[:, 7:].mean(0)
    gram = known.T @ known + _RIDGE * len(motion) * np.diag(known.var(0))
    kernel = np.linalg.solve(gram, known.T @ code)[: terms.shape[1]]
    explained = 1 - np.square(code - known[:, : terms.shape[1]] @ kernel).sum() / np.square(code).sum()
    return Fit(kernel.astype(np.float32), float(explained), len(motion))


def into(config: dict[str, Any], params: dict[str, Any], found: Fit) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config, parameters) of the face model with that share taken out, beside one taken out before."""
    config, params = copy.deepcopy(dict(config)), dict(params)
    kernel = found.kernel
    if config.get("pose_share", False):
        kernel = kernel + params["pose_share"]["Dense_0"]["kernel"]
    config["pose_share"] = True
    params["pose_share"] = {"Dense_0": {"kernel": kernel}}
    return config, params
