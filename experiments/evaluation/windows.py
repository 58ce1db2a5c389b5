"""Held-out windows of a latents cache, all at once, each after its real previous window."""

import functools
from collections.abc import Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from vasa_jax.diffusion import guidance, sampler
from vasa_jax.errors import UsageError
from vasa_jax.inference import starting_noise
from vasa_jax.models.audio.log_mel import LogMel
from vasa_jax.models.motion_sampling import DEFAULT_GUIDANCE
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig, MotionTransformer


class Windows:
    """A motion model and a batch of real windows.

    The network is compiled once, and the steps of the samplers are made outside of it, so that many samplers, numbers
    of steps and guidance scales cost little more than their evaluations.

    Args:
      part: a motion model (`training.trained.Trained`).
      batch: of kind "windows" (`data_pipelines.clips.ClipStream`).
      seed: of the noise.

    Attributes:
      real: standardised motion of the windows, without their context.
      valid: which of their frames exist.
    """

    def __init__(self, part: Any, batch: Mapping[str, np.ndarray], seed: int = 0):
        self.config, self._params = MotionConfig.create(part.config), part.params
        self.mean, self.std = (np.asarray(part.stats[name], np.float32) for name in ("mean", "std"))
        if self.config.speech != "mel":
            raise UsageError(
                f"this suite hears log-mel only, and the motion model listens through {self.config.speech}"
            )
        whole = (batch["motion"] - self.mean) / self.std
        self.real, self.valid = whole[:, self.config.context :], batch["valid"][:, self.config.context :]
        self._conditions = self._told(batch, whole)
        noise = np.random.default_rng(seed).standard_normal(self.real.shape)
        starting = starting_noise.usual(self.config.motion_dim, part.stats.get("lips"))
        self._start = np.asarray(starting.of(noise.astype(np.float32)))
        self._denoise = jax.jit(functools.partial(_denoise, config=self.config))

    def _told(self, batch: Mapping[str, np.ndarray], whole: Float[np.ndarray, "b t m"]) -> MotionConditions:
        hears = LogMel(self.config.bands)
        return MotionConditions(
            audio=hears.features(batch["audio"], batch["valid"], np.full(len(whole), -np.inf, np.float32))[0],
            audio_mask=batch["valid"],
            previous=whole[:, : self.config.context].astype(np.float32),
            told={name: batch[name] for name in self.config.conditions},
            valid=batch["valid"],
        )

    def solve(
        self, method: str, count: int, scales: Mapping[str, float] = DEFAULT_GUIDANCE
    ) -> Float[np.ndarray, "b w m"]:
        """Standardised motion by a deterministic sampler."""
        planned = sampler.plan(method, count, steps=self.config.diffusion_steps)
        lambdas = {name: np.float32(value) for name, value in scales.items()}
        x, before = self._start, np.zeros_like(self._start)
        for timestep, keep, take, turn, _ in zip(*planned, strict=True):
            at = np.full(len(x), timestep, np.int32)
            clean = np.asarray(self._denoise(self._params, self._conditions, lambdas, x, at))
            x, before = keep * x + take * clean + turn * (clean - before), clean
        return x

    def raw(self, motion: Float[np.ndarray, "b w m"]) -> Float[np.ndarray, "b w m"]:
        """Standardised motion in its own units."""
        return motion * self.std + self.mean


def _denoise(
    params: Any, conditions: MotionConditions, scales: Any, x: jax.Array, timestep: jax.Array, *, config: MotionConfig
) -> jax.Array:
    model = MotionTransformer(config)

    def network(*args: Any) -> jax.Array:
        return model.apply({"params": params}, *args, method="denoise")

    heard = conditions.audio, conditions.audio_mask
    audio = model.apply({"params": params}, *heard, method="encode_audio")
    return guidance.guided(network, conditions.replace(audio=audio), scales, config.guided)(x, timestep)
