"""Hinge losses and feature matching (MegaPortraits), and the R1 penalty as an option."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def discriminator_hinge(real: Sequence[Array], fake: Sequence[Array]) -> Array:
    """Mean over scales of max(0, 1 - D(real)) + max(0, 1 + D(fake))."""
    scales = [jax.nn.relu(1.0 - r).mean() + jax.nn.relu(1.0 + f).mean() for r, f in zip(real, fake, strict=True)]
    return sum(scales, jnp.zeros(())) / len(scales)


def generator_hinge(fake: Sequence[Array]) -> Array:
    """Mean over scales of -D(fake)."""
    return -sum((f.mean() for f in fake), jnp.zeros(())) / len(fake)


def feature_matching(real: Sequence[Array], fake: Sequence[Array]) -> Array:
    """L1 between the discriminator's features of real and generated images; no gradient into the real side."""
    apart = (jnp.abs(jax.lax.stop_gradient(r) - f).mean() for r, f in zip(real, fake, strict=True))
    return sum(apart, jnp.zeros(())) / len(real)


def r1_penalty(discriminator: Callable[[Array], Sequence[Array]], real: Float[Array, "b h w 3"]) -> Float[Array, " b"]:
    """Squared gradient of the verdict with respect to real images, per item (Mescheder et al. 2018).

    `discriminator` gives the logits of each scale. A patch discriminator has many verdicts; were the places they see
    apart, this would be the mean over patches of each one's squared gradient, so that weights known from discriminators
    of one verdict carry over.
    """

    def verdict(images: Array) -> Array:
        logits = discriminator(images)
        return sum(x.sum() / (x.size / x.shape[0]) ** 0.5 for x in logits) / len(logits)

    return jnp.square(jax.grad(verdict)(real)).sum((1, 2, 3))
