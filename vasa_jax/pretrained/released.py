"""A feature network of our own training: the dynamics encoder of a released face model, frozen.

It was trained to tell mouth, lids and eyes of aligned faces from labels, and the bundled weights hold one, so that it
needs no download. Between two frames of one person (96 pairs of GRID speakers never trained on) its distance ranks with
the change of mouth opening by r = 0.36 (Spearman), random filters' by 0.10, pixels' by 0.08. For lids (0.25, 0.20,
0.25) and eyes (0.31, 0.33, 0.36) it is no better, so it stands in for VGGFace and not for the gaze network.
"""

from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import weights
from vasa_jax.losses.perceptual import FeatureNetwork
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.models.layers import ResBlock


def dynamics_maps(path: str | Path = weights.BUNDLED) -> FeatureNetwork:
    """What leaves the blocks of a release's dynamics encoder, each place of unit length (Zhang et al. 2018, LPIPS).

    Unit length, because the blocks add up: without it the last map outweighs the others by its size alone.

    Args:
      path: a release or `weights.BUNDLED`.

    Raises:
      InputError: it is no release.
    """
    release = weights.load_release(path)
    config = ml_collections.FrozenConfigDict(release.face_config)
    model, params = FaceLatentModel(config), jax.tree.map(np.asarray, release.face_params)

    def maps(params: Any, face: Float[Array, "b s s 3"]) -> list[Array]:
        _, kept = model.apply(
            {"params": params},
            face,
            jnp.zeros((face.shape[0], 7)),  # of no matter for what leaves the blocks
            method="encode_face",
            capture_intermediates=lambda module, name: isinstance(module, ResBlock) and name == "__call__",
            mutable=["intermediates"],
        )
        found = sorted(jax.tree.leaves(kept), key=lambda x: -x.shape[1])
        return [x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-6) for x in found]

    # A unit vector's numbers shrink with the root of their count.
    shares = tuple(width**0.5 / len(config.dynamics.widths) for width in config.dynamics.widths)
    return FeatureNetwork(f"dynamics encoder of {path}", maps, weights=shares, side=config.face_size, params=params)
