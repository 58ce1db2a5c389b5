"""Speech to motion of any length: windows of W frames that slide over the sound, each continuing the one before."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from vasa_jax.diffusion import guidance, sampler
from vasa_jax.errors import UsageError
from vasa_jax.inference import hearing
from vasa_jax.inference.blinks import Blinker
from vasa_jax.inference.course import Course, Scale
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import CONDITIONS, MotionConditions, MotionConfig, MotionTransformer
from vasa_jax.pretrained.speech import SpeechModel

DEFAULT_GUIDANCE = {"audio": 0.5, "gaze": 1.0}
# Held-out GRID sentences of s1 after 500 steps of motion/small: correlation of the mouth's changes with the real ones
# 0.54 at 1, 0.63 at 0.6, 0.71 at 0, where the face stops being alive (experiments/results/motion_sampling.json).
DYNAMICS_TEMPERATURE = 0.6
# Frames of a window that follow one value of a track: the bundled model knows means over windows only.
TRACK_HOP = 10
_SAMPLES = log_mel.SAMPLES_PER_FRAME
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
    method: str = sampler.DEFAULT,
    eta: float = 0.0,
) -> Float[Array, "b w m"]:
    """One window of standardised motion from noise; `conditions.audio` is speech features. Pure, to be jitted."""
    model = MotionTransformer(config)

    def network(*args: Any) -> Array:
        return model.apply({"params": params}, *args, method="denoise")

    audio = model.apply({"params": params}, conditions.audio, conditions.audio_valid, method="encode_audio")
    denoise = guidance.guided(network, conditions.replace(audio=audio), scales, CONDITIONS, drop)
    return sampler.sample(denoise, start, key, method=method, count=steps, eta=eta, steps=config.diffusion_steps)


def speak_window(
    params: Any,
    sound: Float[Array, "n"],
    floor: Float[Array, ""],
    conditions: MotionConditions,
    temperature: Float[Array, "*m"],
    key: jax.Array,
    scales: Mapping[str, Float[Array, ""] | float],
    drop: guidance.Drop,
    speech: SpeechModel | None = None,
    *,
    config: MotionConfig,
    **how: Any,
) -> tuple[Float[Array, "w m"], Float[Array, ""]]:
    """One window from its sound, at least `floor` dB being its speech level. Pure, to be jitted.

    Sound of frames that `conditions.audio_valid` leaves out counts for nothing, not even for the level.

    Returns:
      Standardised motion, and the speech level, which the next window carries on.
    """
    audio, level = hearing.hear(config, speech, sound, conditions.audio_valid[0], floor)
    conditions = conditions.replace(audio=audio)
    noise_key, step_key = jax.random.split(key)
    start = temperature * jax.random.normal(noise_key, (1, config.window, config.motion_dim))
    return sample_window(params, conditions, start, step_key, scales, drop, config=config, **how)[0], level


def starting_scale(motion_dim: int) -> Float[np.ndarray, " m"]:
    """Scale of the starting noise of every value: 1 for the pose, `DYNAMICS_TEMPERATURE` for the dynamics."""
    return np.where(np.arange(motion_dim) < 7, 1.0, DYNAMICS_TEMPERATURE).astype(np.float32)


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
        hearing.check(self.config, speech)
        self.params, self.speech = params, speech
        self.mean, self.std = (np.asarray(stats[name], np.float32) for name in ("mean", "std"))
        low, high = (self.mean + sign * _CLAMP * self.std for sign in (-1, 1))
        bounds = (np.asarray(stats.get(name, far), np.float32) for name, far in (("low", low), ("high", high)))
        self.scale = Scale(self.mean, self.std, *bounds)
        self._compiled: dict[tuple, Any] = {}

    def windows(
        self,
        audio_chunks: Iterable[Float[np.ndarray, "n"]],
        frames: int,
        *,
        seed: int = 0,
        steps: int = 10,
        guidance: Mapping[str, float] | None = None,
        gaze: Sequence[float] | Float[np.ndarray, "t 2"] = (0.0, 0.0),
        distance: float | Float[np.ndarray, "t"] = 0.0,
        emotion: Sequence[float] | Float[np.ndarray, "*t 8"] = (0.0,) * 8,
        temperature: float | Sequence[float] | None = None,
        method: str | None = None,
        eta: float = 0.0,
        hop: int | None = None,
        lookahead: int | None = None,
        start: Float[np.ndarray, " m"] | None = None,
        poised: bool = True,
        blinker: Blinker | None = None,
    ) -> Iterator[Float[np.ndarray, "t m"]]:
        """Motion for `frames` frames, in pieces of `hop` (the last of up to a window), in constant memory.

        No frame of a piece depends on sound later than hop + lookahead frames after the start of the piece: that much
        has to be recorded before the piece can be made, and what is recorded later never changes it.

        Args:
          audio_chunks: 16 kHz sound in -1..1, pieces of any length; read as far as the next window needs.
          frames: how many frames to make; sound that is missing counts as silence.
          seed: same seed, same motion.
          steps: denoising steps a window.
          guidance: condition name -> lambda; 0.5 for audio and 1 for gaze if not given.
          gaze: main gaze direction (theta, phi), radians; or one a frame, the last of which holds on.
          distance: in units of the data's standard deviation, + is nearer; or one a frame.
          emotion: 8 offsets, HSEmotion order; or 8 a frame.
          temperature: scale of the starting noise, one for all or one per value of the motion; 1 for the pose and
            `DYNAMICS_TEMPERATURE` for the dynamics if not given. Below one the motion comes closer to the most likely
            one: better in time with the sound, less lively.
          method: of `diffusion.sampler`; by default the one measured to be best.
          eta: of the ddim sampler: 0 deterministic steps, 1 ancestral.
          hop: frames used of each window. By default all but the look-ahead that the model was trained for, or
            `TRACK_HOP` where a track is given to a model that knows only means over windows.
          lookahead: frames heard beyond those; by default the rest of the window, all of which is used at the end.
            With one given every piece has `hop` frames, the last one at most: as live, where nobody knows the end.
          start: motion that was held before the first frame, in silence; by default nothing is known of it.
          poised: the head is drawn back to where it started (`inference.poise`), without a start to the mean pose;
            the next window is told what is shown. False leaves it to the model, which wanders off.
          blinker: lays blinks over what is made, a new one for every performance; the model never hears of them.

        Yields:
          De-standardised motion [n, m].

        Raises:
          UsageError: hop and lookahead do not fit into a window.
        """
        c, given = self.config, DEFAULT_GUIDANCE if guidance is None else guidance
        scales = {name: np.float32(value) for name, value in given.items() if value}
        speak = self._speaker(steps, method or sampler.DEFAULT, eta)
        asked = _Asked(c, gaze, distance, emotion)
        hop, span = self._reach(hop, lookahead, asked.moving)
        scale = np.float32(starting_scale(c.motion_dim) if temperature is None else temperature)
        reader = _SoundReader(audio_chunks, c.context * _SAMPLES)
        course = Course(c, self.scale, seed=seed, start=start, poised=poised, blinker=blinker)
        while (at := course.at) < frames:
            made = min(hop, frames - at) if at + span < frames or lookahead is not None else frames - at
            known = c.context + min(span, frames - at)
            sound = reader.read(c.frames * _SAMPLES, (c.context + span) * _SAMPLES)
            told = course.ask(sound, known, **asked.window(at, made))
            key = jax.random.fold_in(jax.random.key(seed), at)
            given = told.sound, told.floor, told.conditions, scale, key, scales, told.drop
            motion, level = map(np.asarray, speak(self.params, *given, self.speech))
            reader.advance(made * _SAMPLES)
            yield course.take(motion, level, made, span)

    def _reach(self, hop: int | None, lookahead: int | None, moving: bool) -> tuple[int, int]:
        """Frames used of a window, and frames of it that are heard."""
        c = self.config
        if hop is None:
            short = moving and not c.per_frame and lookahead is None
            hop = min(TRACK_HOP if short else c.window, c.window - (c.lookahead if lookahead is None else lookahead))
        span = c.window if lookahead is None else hop + lookahead
        if not 1 <= hop <= span <= c.window or (lookahead or 0) < 0:
            said = f"hop {hop}" + (f" and look-ahead {lookahead}" if lookahead is not None else "")
            raise UsageError(f"{said}: give at least 1 and 0, together at most the {c.window} frames of a window")
        return hop, span

    def _speaker(self, steps: int, method: str, eta: float) -> Any:
        how = {"steps": steps, "method": method, "eta": eta}
        known = self._compiled.get(tuple(how.values()))
        if known is None:
            known = jax.jit(functools.partial(speak_window, config=self.config, **how))
            self._compiled[tuple(how.values())] = known
        return known


class _Asked:
    """Gaze, distance and emotion of every window: as a whole, or frame by frame to models that understand it."""

    def __init__(self, config: MotionConfig, gaze: Any, distance: Any, emotion: Any) -> None:
        self._config = config
        self._values = {
            name: np.asarray(value, np.float32)
            for name, value in (("gaze", gaze), ("distance", distance), ("emotion", emotion))
        }
        self._tracks = {name for name, value in self._values.items() if value.ndim > (name != "distance")}

    @property
    def moving(self) -> bool:
        """Whether any of them is a track."""
        return bool(self._tracks)

    def window(self, at: int, made: int) -> dict[str, np.ndarray]:
        """Fields of MotionConditions for the window that starts at frame `at`, of which `made` frames are used."""
        c = self._config
        index = at + (np.arange(-c.context, c.window) if c.per_frame else np.arange(made))
        fields = {}
        for name, value in self._values.items():
            if name in self._tracks:
                value = value[np.clip(index, 0, len(value) - 1)]
                value = value if c.per_frame else value.mean(0)
            fields[name] = value[None]
        return fields


class _SoundReader:
    """A window that moves over pieces of sound and keeps no more than it covers; zeros before the start and after the
    end, and where a sample is not finite."""

    def __init__(self, chunks: Iterable[Float[np.ndarray, "n"]], before: int) -> None:
        self._chunks = iter(chunks)
        self._kept = np.zeros(before, np.float32)

    def read(self, count: int, needed: int) -> Float[np.ndarray, "n"]:
        """`count` samples, of which those after the first `needed` are zeros."""
        pieces, have = [self._kept], len(self._kept)
        while have < needed and (chunk := next(self._chunks, None)) is not None:
            piece = np.nan_to_num(np.asarray(chunk, np.float32).reshape(-1), posinf=0.0, neginf=0.0)
            pieces.append(piece)
            have += len(piece)
        self._kept = np.concatenate(pieces)
        if have < needed:
            self._kept = np.pad(self._kept, (0, needed - have))
        return np.pad(self._kept[:needed], (0, count - needed))

    def advance(self, count: int) -> None:
        self._kept = self._kept[count:].copy()
