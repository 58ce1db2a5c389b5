"""The noise schedule: how much of the data is left after t steps (Ho et al. 2020; cosine: Nichol and Dhariwal 2021)."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

STEPS = 1000


@functools.cache
def cosine_alpha_bar(steps: int = STEPS) -> np.ndarray:
    """Share of signal power left, [steps], falling from almost one to almost zero."""
    t = np.arange(steps + 1) / steps
    curve = np.square(np.cos((t + 0.008) / 1.008 * np.pi / 2))
    betas = np.minimum(1.0 - curve[1:] / curve[:-1], 0.999)
    return np.cumprod(1.0 - betas).astype(np.float32)


def add_noise(
    clean: Float[Array, "*b t m"], noise: Float[Array, "*b t m"], timestep: Int[Array, "*b"], steps: int = STEPS
) -> Float[Array, "*b t m"]:
    """X_t = sqrt(alpha_bar_t) X_0 + sqrt(1 - alpha_bar_t) noise, time in 0..steps-1."""
    alpha_bar = jnp.asarray(cosine_alpha_bar(steps))[timestep][..., None, None]
    return jnp.sqrt(alpha_bar) * clean + jnp.sqrt(1.0 - alpha_bar) * noise


def draw_timestep(key: jax.Array, steps: int = STEPS) -> Int[Array, ""]:
    """A step of the forward chain, uniform."""
    return jax.random.randint(key, (), 0, steps)


def sampling_timesteps(count: int, steps: int = STEPS) -> np.ndarray:
    """`count` times from steps-1 downwards, evenly spaced and with the noisiest one always among them, int32."""
    if not 1 <= count <= steps:
        raise ValueError(f"between 1 and {steps} sampling steps, not {count}")
    return np.round(steps - 1 - np.arange(count) * (steps / count)).astype(np.int32)
