"""A feature network of our own training: the dynamics encoder of a released face model, frozen.

It was trained to tell mouth, lids and eyes of aligned faces from labels, so its maps change where those change. The
bundled weights hold one, which makes it the network for faces and eyes that needs no download.
"""

from pathlib import Path

import jax
import jax.numpy as jnp
import ml_collections
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
    model, params = FaceLatentModel(config), jax.tree.map(jnp.asarray, release.face_params)

    def maps(face: Float[Array, "b s s 3"]) -> list[Array]:
        _, kept = model.apply(
            {"params": params},
            face,
            method="encode_face",
            capture_intermediates=lambda module, name: isinstance(module, ResBlock) and name == "__call__",
            mutable=["intermediates"],
        )
        found = sorted(jax.tree.leaves(kept), key=lambda x: -x.shape[1])
        return [x * jax.lax.rsqrt(jnp.square(x).sum(-1, keepdims=True) + 1e-6) for x in found]

    # A unit vector's numbers shrink with the root of their count.
    shares = tuple(width**0.5 / len(config.dynamics.widths) for width in config.dynamics.widths)
    return FeatureNetwork(f"dynamics encoder of {path}", maps, weights=shares, side=config.face_size)
