"""Speech to motion of any length: windows of W frames that slide over the sound, each continuing the one before."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.diffusion import guidance, sampler
from vasa_jax.inference.hearing import Hearing
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import CONDITIONS, MotionConditions, MotionConfig, MotionTransformer
from vasa_jax.pretrained.speech import SpeechModel

DEFAULT_GUIDANCE = {"audio": 0.5, "gaze": 1.0}
# Held-out GRID sentences of s1 after 500 steps of motion/small: correlation of the mouth's changes with the real ones
# 0.54 at 1, 0.63 at 0.6, 0.71 at 0, where the face stops being alive (experiments/results/motion_sampling.json).
DYNAMICS_TEMPERATURE = 0.6
# A guard against a runaway sample, far outside what data does (spec 7.2: heads that spin are a missing statistic).
_CLAMP = 5.0


def sample_window(
    params: Any,
    conditions: MotionConditions,
    start: Float[Array, "b w m"],
    key: jax.Array,
    scales: Mapping[str, Float[Array, ""] | float],
    drop: guidance.Drop,
    *,
    config: MotionConfig,
    steps: int,
    eta: float = 0.0,
) -> Float[Array, "b w m"]:
    """One window of standardised motion from noise; `conditions.audio` is speech features. Pure, to be jitted."""
    model = MotionTransformer(config)

    def network(*args: Any) -> Array:
        return model.apply({"params": params}, *args, method="denoise")

    audio = model.apply({"params": params}, conditions.audio, conditions.audio_valid, method="encode_audio")
    denoise = guidance.guided(network, conditions.replace(audio=audio), scales, CONDITIONS, drop)
    return sampler.ddim(denoise, start, key, count=steps, eta=eta, steps=config.diffusion_steps)


class MotionGenerator:
    """The motion model ready to speak.

    Args:
      config: model config (MotionConfig or its mapping).
      params: parameters of MotionTransformer.
      stats: "mean" and "std" of the motion [m]; "low" and "high" [m] bound the output if given.
      speech: the pretrained model that a config with `speech` other than "mel" listens through.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | MotionConfig,
        params: Any,
        stats: Mapping[str, Any],
        speech: SpeechModel | None = None,
    ) -> None:
        self.config = MotionConfig.create(config)
        self.params = params
        self.mean, self.std = (np.asarray(stats[name], np.float32) for name in ("mean", "std"))
        self._low = np.asarray(stats.get("low", self.mean - _CLAMP * self.std), np.float32)
        self._high = np.asarray(stats.get("high", self.mean + _CLAMP * self.std), np.float32)
        self._compiled: dict[tuple, Any] = {}
        self._hearing = Hearing(self.config, speech)

    def windows(
        self,
        audio_chunks: Iterable[Float[np.ndarray, "n"]],
        frames: int,
        *,
        seed: int = 0,
        steps: int = 10,
        guidance: Mapping[str, float] | None = None,
        gaze: Sequence[float] = (0.0, 0.0),
        distance: float = 0.0,
        emotion: Sequence[float] | np.ndarray = (0.0,) * 8,
        temperature: float | Sequence[float] | None = None,
        eta: float = 0.0,
    ) -> Iterator[Float[np.ndarray, "t m"]]:
        """Motion for `frames` frames, in pieces of at most W, in constant memory.

        Args:
          audio_chunks: 16 kHz sound in -1..1, pieces of any length; read as far as the next window needs.
          frames: how many frames to make; sound that is missing counts as silence.
          seed: same seed, same motion.
          steps: denoising steps a window.
          guidance: condition name -> lambda; 0.5 for audio and 1 for gaze if not given.
          gaze: main gaze direction (theta, phi), radians.
          distance: in units of the data's standard deviation, + is nearer.
          emotion: 8 offsets, HSEmotion order.
          temperature: scale of the starting noise, one for all or one per value of the motion; 1 for the pose and
            `DYNAMICS_TEMPERATURE` for the dynamics if not given. Below one the motion comes closer to the most likely
            one: better in time with the sound, less lively.
          eta: 0 deterministic steps, 1 ancestral.

        Yields:
          De-standardised motion [n, m], n at most W.
        """
        c, given = self.config, DEFAULT_GUIDANCE if guidance is None else guidance
        scales = {name: np.float32(value) for name, value in given.items() if value}
        sample = self._sampler(steps, eta)
        if temperature is None:
            temperature = np.full(c.motion_dim, DYNAMICS_TEMPERATURE)
            temperature[:7] = 1.0
        reader = _SoundReader(audio_chunks, c.context * log_mel.SAMPLES_PER_FRAME)
        key, listen = jax.random.key(seed), self._hearing.recording()
        previous = np.zeros((1, c.context, c.motion_dim), np.float32)
        constant = {
            "gaze": np.asarray(gaze, np.float32)[None],
            "distance": np.full(1, distance, np.float32),
            "emotion": np.asarray(emotion, np.float32)[None],
            "valid": np.ones((1, c.frames), bool),
        }
        at = 0
        while at < frames:
            last = at + c.window >= frames
            made = frames - at if last else c.window - c.lookahead
            sound = reader.read(c.frames * log_mel.SAMPLES_PER_FRAME).copy()
            sound[(frames - at + c.context) * log_mel.SAMPLES_PER_FRAME :] = 0.0
            index = at - c.context + np.arange(c.frames)
            heard = (index >= 0) & (index < frames)
            audio = listen(sound, heard, made / 25.0)
            conditions = MotionConditions(audio=audio, audio_valid=heard[None], previous=previous, **constant)
            noise_key, step_key = jax.random.split(jax.random.fold_in(key, at))
            start = np.float32(temperature) * jax.random.normal(noise_key, (1, c.window, c.motion_dim))
            drop = {"previous": np.full(1, at == 0)}
            motion = np.asarray(sample(self.params, conditions, start, step_key, scales, drop))[0, :made]
            previous = np.concatenate([previous[0], motion])[None, -c.context :]
            reader.advance(made * log_mel.SAMPLES_PER_FRAME)
            at += made
            yield np.clip(motion * self.std + self.mean, self._low, self._high)

    def _sampler(self, steps: int, eta: float) -> Any:
        known = self._compiled.get((steps, eta))
        if known is None:
            known = jax.jit(functools.partial(sample_window, config=self.config, steps=steps, eta=eta))
            self._compiled[steps, eta] = known
        return known


class _SoundReader:
    """A window that moves over pieces of sound and keeps no more than it covers; zeros before the start and after the
    end, and where a sample is not finite."""

    def __init__(self, chunks: Iterable[Float[np.ndarray, "n"]], before: int) -> None:
        self._chunks = iter(chunks)
        self._kept = np.zeros(before, np.float32)

    def read(self, count: int) -> Float[np.ndarray, "n"]:
        pieces, have = [self._kept], len(self._kept)
        while have < count and (chunk := next(self._chunks, None)) is not None:
            piece = np.nan_to_num(np.asarray(chunk, np.float32).reshape(-1), posinf=0.0, neginf=0.0)
            pieces.append(piece)
            have += len(piece)
        self._kept = np.concatenate(pieces)
        if have < count:
            self._kept = np.pad(self._kept, (0, count - have))
        return self._kept[:count]

    def advance(self, count: int) -> None:
        self._kept = self._kept[count:].copy()
