"""Facial dynamics encoder: an aligned face to the holistic code z_dyn [d] (VASA-1 section 3.1).

Its input is not the raw image but the face resampled by the in-plane part of the head pose, so that place,
size and roll of the head cannot be told by the code: the first and free step of disentanglement.
"""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from vasa_jax.models.layers import BLOCK, Conv, ResNet
from vasa_jax.models.resnet import DeepResNet
from vasa_jax.ops import precise
from vasa_jax.ops.warp import grid_sample, identity_grid


def aligned_crop(
    image: Float[Array, "b h w c"],
    pose: Float[Array, "b 7"],
    size: int,
    extent: float = 0.62,
    centre: float = 0.05,
    span: float = 1.0,
) -> Float[Array, "b s s c"]:
    """The square of half-width `extent` around the middle of the face, upright and at scale one.

    `span` is the half-width of `image` in crop-normalised units (1 for the model's image).
    """
    square = identity_grid((size, size)) * extent + jnp.asarray([[[0.0, centre]]])
    roll, shift, scale = pose[:, 2], pose[:, 3:5], pose[:, 6]
    cos, sin = jnp.cos(roll), jnp.sin(roll)
    rotation = jnp.stack([jnp.stack([cos, -sin], -1), jnp.stack([sin, cos], -1)], -2) * scale[:, None, None]
    coords = precise.einsum("bij,hwj->bhwi", rotation, square) + shift[:, None, None]
    return grid_sample(image, coords / span, "border")


class DynamicsEncoder(nn.Module):
    """Residual tower over the aligned face; flattened at the end because a code of motion is a code of places.

    The tower is a small one of `widths`, or, as in the paper, ResNet-18 (`resnet` 18) with a 1x1 convolution and one
    matrix after it.
    """

    features: int
    widths: tuple[int, ...] = ()
    blocks: int = 1
    dropout: float = 0.0
    resnet: int = 0
    block: Mapping[str, Any] = BLOCK

    @nn.compact
    def __call__(self, face: Float[Array, "b s s 3"], deterministic: bool = True) -> Float[Array, "b d"]:
        if self.resnet:
            x = DeepResNet(self.resnet, self.block.get("remat", ""))(face)
            x = Conv(self.features, size=1, standardise=False, use_bias=True)(x)
        else:
            x = ResNet(self.widths, self.blocks, block=self.block)(face)
        x = nn.Dropout(self.dropout)(x, deterministic=deterministic).reshape(x.shape[0], -1).astype(jnp.float32)
        if not self.resnet:
            x = nn.relu(nn.Dense(4 * self.features)(x))
        return nn.Dense(self.features, use_bias=False)(x)


def pose_terms(pose: Float[Array, "b 7"]) -> Float[Array, "b 9"]:
    """Pitch and yaw (radians, at most 1) to the third power: what of the pose an aligned face still shows."""
    x, y = jnp.moveaxis(jnp.clip(pose[:, :2], -1.0, 1.0), -1, 0)
    return jnp.stack([x, y, x * x, x * y, y * y, x**3, x * x * y, x * y * y, y**3], -1)


class PoseShare(nn.Module):
    """What the pose tells of a dynamics code; z_dyn is what is left of the encoder's output without it.

    An aligned face still shows how far the head is turned, so the encoder's output tells of pitch and yaw however it
    was trained (`small_128`: a linear probe explains 85 % of the variance of yaw). The regression of the code on the
    pose is taken away after the encoder and given back, for the pose that is to be shown, before the warps and the
    generator: reenactment stays what it was, and a code moved to another pose takes none of its old pose along.
    """

    features: int

    @nn.compact
    def __call__(self, pose: Float[Array, "b 7"]) -> Float[Array, "b d"]:
        return nn.Dense(self.features, use_bias=False, kernel_init=nn.initializers.zeros)(pose_terms(pose))
