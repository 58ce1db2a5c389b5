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

    The cache should be of people whose pose and expression have nothing to do with each other (procedural heads): from
    real video the regression would also take the eyes, which turn against the head.
    """
    try:
        with np.load(path) as cache:
            motion, valid = cache["motion"], cache["valid"].astype(bool)
            split = np.repeat(cache["split"], np.diff(cache["offsets"]))
    except (OSError, KeyError, ValueError) as error:
        raise InputError(f"{path} is no latents cache ({error}); make one with vasa-prepare --stage=latents") from error
    rows = motion[valid & (split == "train")].astype(np.float64)
    if len(rows) < 1000:
        raise InputError(f"{path}: {len(rows)} training frames are too few to tell pose from code; 1,000 are needed")
    terms, code = np.asarray(jax.jit(pose_terms)(rows[:, :7]), np.float64), rows[:, 7:]
    terms, code = terms - terms.mean(0), code - code.mean(0)
    gram = terms.T @ terms + _RIDGE * len(rows) * np.diag(terms.var(0))
    kernel = np.linalg.solve(gram, terms.T @ code)
    explained = 1 - np.square(code - terms @ kernel).sum() / np.square(code).sum()
    return Fit(kernel.astype(np.float32), float(explained), len(rows))


def into(config: dict[str, Any], params: dict[str, Any], found: Fit) -> tuple[dict[str, Any], dict[str, Any]]:
    """(config, parameters) of the face model with that share taken out, beside one taken out before."""
    config, params = copy.deepcopy(dict(config)), dict(params)
    kernel = found.kernel
    if config.get("pose_share", False):
        kernel = kernel + params["pose_share"]["Dense_0"]["kernel"]
    config["pose_share"] = True
    params["pose_share"] = {"Dense_0": {"kernel": kernel}}
    return config, params
