"""Products that must not be rounded: coordinates, poses, powers of audio.

A TPU multiplies float32 with 8 bits by default and a GPU may with 10: half a pixel of 512, or a quarter.
"""

import functools

import jax
import jax.numpy as jnp

einsum = functools.partial(jnp.einsum, precision=jax.lax.Precision.HIGHEST)
matmul = functools.partial(jnp.matmul, precision=jax.lax.Precision.HIGHEST)
