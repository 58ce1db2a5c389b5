"""What keeps appearance, identity, pose and dynamics apart without ground truth.

l_consist and l_cross_id are what VASA-1 adds to its face model (section 3.1); the consistency of canonical volumes is
EMOPortraits'.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.losses.contrastive import cosine
from vasa_jax.losses.perceptual import OWN, FeatureNetwork, feature_loss
from vasa_jax.losses.reconstruction import pyramid_l1


def consistency(
    a: Float[Array, "b h w 3"],
    b: Float[Array, "b h w 3"],
    weight: Float[Array, "b h w 1"],
    network: FeatureNetwork = OWN,
) -> Float[Array, " b"]:
    """l_consist: D(V_j, id_j, pose_i, dyn_j) and D(V_i, id_i, pose_i, dyn_j) must be one image.

    Frames i and j of one video; nobody ever saw this image, so the two are compared with each other,
    gradients through both.
    """
    return pyramid_l1(a, b, weight) + feature_loss(a, b, weight, network)


def cross_identity(source: Float[Array, "b d"], driven: Float[Array, "b d"]) -> Float[Array, " b"]:
    """l_cross_id: 1 - cosine of the identity features of a source and of it driven by somebody else."""
    return 1.0 - cosine(jax.lax.stop_gradient(source), driven)


def canonical_consistency(source: Float[Array, "b z y x c"], target: Float[Array, "b z y x c"]) -> Float[Array, " b"]:
    """L1 between the canonical volumes of two frames of a video, as a share of the target's mean size.

    No gradient into the target, nor through the share: shrinking the volumes does not help.
    """
    target = jax.lax.stop_gradient(target)
    axes = (1, 2, 3, 4)
    return jnp.abs(source - target).mean(axes) / jnp.maximum(jnp.abs(target).mean(axes), 1e-6)
