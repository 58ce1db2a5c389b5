"""The two losses that VASA-1 adds to its face model (section 3.1; spec 2.2)."""

import jax
from jaxtyping import Array, Float

from vasa_jax.losses.contrastive import cosine
from vasa_jax.losses.perceptual import feature_loss
from vasa_jax.losses.reconstruction import pyramid_l1


def consistency(a: Float[Array, "b h w 3"], b: Float[Array, "b h w 3"], weight: Array) -> Float[Array, " b"]:
    """l_consist: D(V_j, id_j, pose_i, dyn_j) and D(V_i, id_i, pose_i, dyn_j) must be one picture.

    Frames i and j of one video; nobody ever saw this picture, so the two are compared with each other,
    gradients through both.
    """
    return pyramid_l1(a, b, weight) + feature_loss(a, b, weight)


def cross_identity(source: Float[Array, "b d"], driven: Float[Array, "b d"]) -> Float[Array, " b"]:
    """l_cross_id: 1 - cosine of the identity features of a source and of it driven by somebody else."""
    return 1.0 - cosine(jax.lax.stop_gradient(source), driven)
