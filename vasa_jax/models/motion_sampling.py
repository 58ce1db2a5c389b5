"""A window of motion out of noise: the motion transformer under guidance, driven by a sampler."""

from collections.abc import Mapping
from typing import Any

import jax
from jaxtyping import Array, Float

from vasa_jax import conditions as table
from vasa_jax.diffusion import guidance, sampler
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig, MotionTransformer

DEFAULT_GUIDANCE = table.default_guidance()


def sample_window(
    params: Any,
    conditions: MotionConditions,
    start: Float[Array, "b w m"],
    key: jax.Array | None,
    scales: Mapping[str, Float[Array, ""] | float],
    drop: guidance.Drop,
    *,
    config: MotionConfig,
    steps: int,
    method: str = sampler.DEFAULT,
    eta: float = 0.0,
) -> Float[Array, "b w m"]:
    """One window of standardised motion from noise; `conditions.audio` is speech features. Pure, to be jitted."""
    model = MotionTransformer(config)

    def network(*args: Any) -> Array:
        return model.apply({"params": params}, *args, method="denoise")

    audio = model.apply({"params": params}, conditions.audio, conditions.audio_mask, method="encode_audio")
    denoise = guidance.guided(network, conditions.replace(audio=audio), scales, config.guided, drop)
    return sampler.sample(denoise, start, key, method=method, count=steps, eta=eta, steps=config.diffusion_steps)
