"""Hinge losses and feature matching (spec 1.3 item 8 and 2.1)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array


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
