"""Cosine contrast with the margin on the positives only (as MegaPortraits prints it, it would cancel)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


def cosine(a: Float[Array, "b d"], b: Float[Array, "b d"]) -> Float[Array, " b"]:
    """Cosine similarity, safe at zero."""
    norm = jnp.sqrt(jnp.square(a).sum(-1) * jnp.square(b).sum(-1) + 1e-12)
    return (a * b).sum(-1) / norm


def contrast(
    positives: list[tuple[Array, Array]], negatives: list[tuple[Array, Array]], scale: float = 5.0, margin: float = 0.2
) -> Float[Array, " b"]:
    """-log softmax of the positives among all pairs, d = scale * (cos - margin), averaged over positives."""
    pull = jnp.stack([scale * (cosine(*pair) - margin) for pair in positives])
    push = jnp.stack([scale * cosine(*pair) for pair in negatives])
    rest = jax.nn.logsumexp(push, axis=0)
    return (jnp.logaddexp(pull, rest[None]) - pull).mean(0)
