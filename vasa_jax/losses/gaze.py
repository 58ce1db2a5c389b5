"""Gaze feature loss (MegaPortraits): images must agree in the eyes, by features that know what eyes do.

With a gaze network (pretrained.networks) its maps of the aligned face are compared under the boxes of the eyes.
Without one, both eyes are cut out, enlarged and compared by pixels and the project's own features: not a reading of
gaze, but where the iris lies is most of the structure in such a square.
"""

import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.losses.alignment import eye_crops
from vasa_jax.losses.perceptual import OWN, FeatureNetwork, feature_loss
from vasa_jax.losses.reconstruction import masked_l1, region_boxes, region_mask
from vasa_jax.models.dynamics_encoder import aligned_crop

EYE_SIDE = 32


def gaze_loss(
    a: Float[Array, "b h w 3"],
    b: Float[Array, "b h w 3"],
    points: Float[Array, "b k 3"],
    pose: Float[Array, "b 7"],
    weight: Float[Array, "b h w 1"],
    network: FeatureNetwork = OWN,
) -> Float[Array, " b"]:
    """Distance of the eyes of two images of a face with these points and this pose.

    `weight` is the foreground; a network without a `side` of its own gets the eyes, any other the aligned face.
    """
    if network.side is None:
        ours, theirs, there = (eye_crops(x, points, EYE_SIDE) for x in (a, b, weight))
        both = feature_loss(ours, theirs, there, network) + masked_l1(ours, theirs, there)
        return both.reshape(2, -1).mean(0)
    inside = region_mask(region_boxes(points), a.shape[1:3])[..., 1:].sum(-1, keepdims=True)
    crops = [aligned_crop(x, pose, network.side) for x in (a, b, inside * weight)]
    return feature_loss(crops[0], crops[1], jnp.maximum(crops[2], 1e-6), network)
