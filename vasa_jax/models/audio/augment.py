"""Augmentation of mel power, one example at a time (vmap over examples and keys), inside the jitted train step.

Few speakers and one microphone teach a model their timbre. What is varied here is what a foreign recording varies:
level, tilt and equalisation of the channel, background noise, length of the vocal tract (a warp of the mel axis),
and missing bands. Pauses are lengthened because a corpus of short sentences has hardly any.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, Self, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int


@dataclasses.dataclass(frozen=True)
class AugmentConfig:
    """Strengths. Decibels unless said otherwise; zero switches a part off."""

    level_down: float = 8.0
    level_up: float = 4.0
    tilt: float = 8.0
    equaliser: float = 4.0
    warp: float = 0.15  # relative change of frequency
    noise_probability: float = 0.5
    noise_from: float = 12.0  # signal to noise, loudest
    noise_to: float = 45.0  # signal to noise, faintest
    mask_probability: float = 0.3
    mask_share: float = 0.2  # of the bands
    pause_probability: float = 0.15

    @classmethod
    def create(cls, mapping: Mapping[str, Any] | Self) -> Self:
        return mapping if isinstance(mapping, cls) else cls(**dict(cast(Mapping[str, Any], mapping)))


def warp_bands(power: Float[Array, "s bands"], factor: Float[Array, ""]) -> Float[Array, "s bands"]:
    """Moves what lies at band i to band factor * i, with linear interpolation; the last band is repeated."""
    bands = power.shape[-1]
    at = jnp.clip(jnp.arange(bands, dtype=jnp.float32) / factor, 0.0, bands - 1.0)
    below = jnp.minimum(jnp.floor(at).astype(jnp.int32), bands - 2)
    share = (at - below.astype(jnp.float32))[None]
    return power[:, below] * (1.0 - share) + power[:, below + 1] * share


def _decibels_to_power(x: Float[Array, "..."]) -> Float[Array, "..."]:
    return 10.0 ** (x / 10.0)


def _channel(draws: Float[Array, "7"], bands: int, config: AugmentConfig) -> Float[Array, "bands"]:
    """Gain of a random channel: a tilt and three slow ripples over the mel axis."""
    axis = np.linspace(-0.5, 0.5, bands)
    tilt = config.tilt * (2.0 * draws[0] - 1.0) * axis
    size = config.equaliser * (2.0 * draws[1:4] - 1.0)
    phase = 2 * np.pi * draws[4:7]
    ripple = (size[:, None] * jnp.cos(np.pi * np.arange(1, 4)[:, None] * axis[None] + phase[:, None])).sum(0)
    return _decibels_to_power(tilt + ripple)


def _noise(
    draws: Float[Array, "3"], grain: Float[Array, "s bands"], level: Float[Array, ""], config: AugmentConfig
) -> Float[Array, "s bands"]:
    """Stationary background of random colour; `grain` is its power around one."""
    ratio = config.noise_from + (config.noise_to - config.noise_from) * draws[1]
    colour = _decibels_to_power(20.0 * (1.3 * draws[2] - 1.0) * np.linspace(0, 1, grain.shape[1]))
    on = draws[0] < config.noise_probability
    return jnp.where(on, _decibels_to_power(level - ratio), 0.0) * grain * (colour / colour.sum())[None]


def augment(
    key: jax.Array, power: Float[Array, "s bands"], level: Float[Array, ""], config: AugmentConfig
) -> tuple[Float[Array, "s bands"], Float[Array, ""]]:
    """A foreign voice in another room: changed power and the level that the front end would now guess, in dB."""
    bands = power.shape[-1]
    # Two draws for everything: each one is unrolled by the compiler, and forty of them took ten seconds to compile.
    draw_key, grain_key = jax.random.split(key)
    draws = jax.random.uniform(draw_key, (15,))
    # The power of noise in a step and band is chi-square of about four degrees of freedom.
    grain = -jnp.log(jax.random.uniform(grain_key, (2, *power.shape), minval=1e-6)).sum(0) / 2.0
    power = warp_bands(power, jnp.exp(config.warp * (2.0 * draws[0] - 1.0)))
    power = power * _channel(draws[1:8], bands, config)[None]
    power = power + _noise(draws[8:11], grain, level, config)
    width = draws[11] * config.mask_share * bands
    low = draws[12] * (bands - width)
    index = np.arange(bands, dtype=np.float32)
    masked = (index >= low) & (index < low + width) & (draws[13] < config.mask_probability)
    # A band that the channel lost: 40 dB down, not absent, as an equaliser would leave it.
    power = power * jnp.where(masked, 1e-4, 1.0)[None]
    return power, level - config.level_up + (config.level_up + config.level_down) * draws[14]


def longest_run(mask: Bool[Array, "t"]) -> tuple[Int[Array, ""], Int[Array, ""]]:
    """Start and length of the longest run of true values; length 0 where there is none."""

    def count(run: Int[Array, ""], on: Bool[Array, ""]) -> tuple[Int[Array, ""], Int[Array, ""]]:
        run = jnp.where(on, run + 1, 0)
        return run, run

    runs = jax.lax.scan(count, jnp.int32(0), mask)[1]
    end = jnp.argmax(runs)
    return end - runs[end] + 1, runs[end]


def lengthen_pause(key: jax.Array, silent: Bool[Array, "t"], shortest: int = 7) -> Int[Array, "t"]:
    """Which frame to play at each frame so that the longest pause lasts longer.

    Inside the pause the playback swings to and fro around its middle, so audio and motion stay together, motion stays
    continuous, eyes and head stay alive at their own speed, and the mouth stays as it is in silence. Where no pause
    has `shortest` frames, the order is unchanged.
    """
    frames = silent.shape[0]
    draws = jax.random.uniform(key, (2,))
    start, length = longest_run(silent)
    reach = jnp.maximum((length - 1) // 2, 1)
    middle = start + length // 2
    period = 4 * reach
    most = jnp.maximum(frames // period, 1)
    swings = 1 + jnp.floor(draws[0] * most.astype(jnp.float32)).astype(jnp.int32)
    extra = swings * period
    at = jnp.arange(frames) + jnp.floor(draws[1] * (extra + 1).astype(jnp.float32)).astype(jnp.int32)
    phase = (at - middle) % period
    swing = jnp.where(phase <= reach, phase, jnp.where(phase <= 3 * reach, 2 * reach - phase, phase - period))
    played = jnp.where(at < middle, at, jnp.where(at < middle + extra, middle + swing, at - extra))
    # The swing stays inside the pause: reach <= (length - 1) / 2, and an even length has its middle right of centre.
    played = jnp.clip(played, 0, frames - 1)
    return jnp.where(length >= shortest, played, jnp.arange(frames))
