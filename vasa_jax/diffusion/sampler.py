"""DDIM (Song et al. 2021) for a network that predicts the clean data."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from vasa_jax.diffusion import schedule

Denoise = Callable[[Float[Array, "b t m"], Int[Array, "b"]], Float[Array, "b t m"]]


def ddim(
    denoise: Denoise,
    start: Float[Array, "b t m"],
    key: jax.Array,
    *,
    count: int,
    eta: float = 0.0,
    steps: int = schedule.STEPS,
) -> Float[Array, "b t m"]:
    """Carries noise to data in `count` steps of one scan.

    Args:
      denoise: predicts the clean data from (noisy data, time [b] in 0..steps-1).
      start: standard normal noise (or noise of lower temperature).
      key: randomness of the steps; unused where eta is zero.
      count: steps taken, 1..steps.
      eta: 0 deterministic, 1 ancestral (DDPM).
      steps: length of the forward chain.

    Returns:
      The clean data of the last step.
    """
    times = schedule.sampling_times(count, steps)
    left = schedule.cosine_alpha_bar(steps)[times]
    after = np.append(left[1:], np.float32(1.0))
    variance = (1 - after) / (1 - left) * (1 - left / after)
    spread = (eta * np.sqrt(np.maximum(variance, 0.0))).astype(np.float32)
    keys = jax.random.split(key, count)

    def step(x: Float[Array, "b t m"], at: tuple) -> tuple[Float[Array, "b t m"], None]:
        time, a, b, sigma, step_key = at
        clean = denoise(x, jnp.full(x.shape[:1], time, jnp.int32))
        noise = (x - jnp.sqrt(a) * clean) / jnp.sqrt(1 - a)
        x = jnp.sqrt(b) * clean + jnp.sqrt(jnp.maximum(1 - b - sigma**2, 0.0)) * noise
        if eta:
            x = x + sigma * jax.random.normal(step_key, x.shape, x.dtype)
        return x, None

    return jax.lax.scan(step, start, (times, left, after, spread, keys))[0]
