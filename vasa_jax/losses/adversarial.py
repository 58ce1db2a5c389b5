"""Hinge losses and feature matching (spec 1.3 item 8 and 2.1), and the R1 penalty as an option."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def discriminator_hinge(real: list[Array], fake: list[Array]) -> Array:
    """Mean over scales of max(0, 1 - D(real)) + max(0, 1 + D(fake))."""
    scales = [jax.nn.relu(1.0 - r).mean() + jax.nn.relu(1.0 + f).mean() for r, f in zip(real, fake, strict=True)]
    return sum(scales) / len(scales)


def generator_hinge(fake: list[Array]) -> Array:
    """Mean over scales of -D(fake)."""
    return -sum(f.mean() for f in fake) / len(fake)


def feature_matching(real: list[Array], fake: list[Array]) -> Array:
    """L1 between the discriminator's features of real and generated pictures; no gradient into the real side."""
    return sum(jnp.abs(jax.lax.stop_gradient(r) - f).mean() for r, f in zip(real, fake, strict=True)) / len(real)


def r1_penalty(critic: Callable[[Array], list[Array]], real: Float[Array, "b h w 3"]) -> Float[Array, " b"]:
    """Squared gradient of the verdict with respect to real pictures, per item (Mescheder et al. 2018).

    `critic` gives the logits of each scale; the verdict is their mean, over patches and then over scales. Its gradient
    shrinks with the number of pixels it is spread over, so the square is multiplied by it: weights then carry over
    between sizes.
    """

    def verdict(pictures: Array) -> Array:
        logits = critic(pictures)
        return sum(x.reshape(x.shape[0], -1).mean(-1).sum() for x in logits) / len(logits)

    gradient = jax.grad(verdict)(real)
    return real.shape[1] * real.shape[2] * jnp.square(gradient).sum((1, 2, 3))
