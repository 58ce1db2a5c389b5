"""Speech to motion of any length: windows of W frames that slide over the audio, each continuing the one before."""

import functools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from vasa_jax import conditions as table
from vasa_jax.diffusion import guidance, sampler
from vasa_jax.errors import UsageError
from vasa_jax.inference import starting_noise
from vasa_jax.inference.blinks import Blinker
from vasa_jax.inference.course import Course, Scale
from vasa_jax.inference.starting_noise import StartingNoise
from vasa_jax.models.audio import front_end, log_mel
from vasa_jax.models.audio.protocol import FrontEnd
from vasa_jax.models.motion_sampling import DEFAULT_GUIDANCE, sample_window
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig
from vasa_jax.ops import directions

# Frames of a window that follow one value of a track: the bundled model knows means over windows only.
TRACK_HOP = 10
_SAMPLES = log_mel.SAMPLES_PER_FRAME
# A guard against a runaway sample, far outside what data does: heads that spin are a missing statistic.
_CLAMP = 5.0


def speak_window(
    params: Any,
    waveform: Float[Array, "n"],
    floor: Float[Array, ""],
    conditions: MotionConditions,
    starting: StartingNoise,
    key: jax.Array,
    scales: Mapping[str, Float[Array, ""] | float],
    drop: guidance.Drop,
    speech: FrontEnd,
    *,
    config: MotionConfig,
    **how: Any,
) -> tuple[Float[Array, "w m"], Float[Array, ""]]:
    """One window from its waveform, at least `floor` dB being its speech level. Pure, to be jitted.

    Audio of frames that `conditions.audio_mask` leaves out counts for nothing, not even for the level.

    Returns:
      Standardised motion, and the speech level, which the next window carries on.
    """
    audio, level = speech.features(waveform[None], jnp.asarray(conditions.audio_mask), floor[None])
    conditions = conditions.replace(audio=audio)
    noise_key, step_key = jax.random.split(key)
    noise = jax.random.normal(noise_key, (1, config.window, config.motion_dim))
    start = starting.of(noise)
    motion = sample_window(params, conditions, start, step_key, scales, drop, config=config, **how)
    return motion[0], level[0]


class MotionGenerator:
    """The motion model ready to speak.

    Args:
      config: model config (MotionConfig or its mapping).
      params: parameters of MotionTransformer.
      stats: "mean" and "std" of the motion [m]; if given, "low" and "high" [m] bound the output, and "lips" [k, d] are
        the directions of `StartingNoise`.
      speech: what the model listens through; a config with `speech` "mel" needs none.
    """

    def __init__(
        self,
        config: Mapping[str, Any] | MotionConfig,
        params: Any,
        stats: Mapping[str, Any],
        speech: FrontEnd | None = None,
    ) -> None:
        self.config = MotionConfig.create(config)
        self.params, self.speech = params, front_end.fitting(self.config, speech)
        self.mean, self.std = (np.asarray(stats[name], np.float32) for name in ("mean", "std"))
        low, high = (self.mean + sign * _CLAMP * self.std for sign in (-1, 1))
        bounds = (np.asarray(stats.get(name, far), np.float32) for name, far in (("low", low), ("high", high)))
        self.scale = Scale(self.mean, self.std, *bounds)
        self.starting = starting_noise.usual(self.config.motion_dim, stats.get("lips"))
        self._compiled: dict[tuple, Any] = {}

    def windows(
        self,
        audio_chunks: Iterable[Float[np.ndarray, "_"]],
        frames: int,
        *,
        seed: int = 0,
        steps: int = 10,
        guidance: Mapping[str, float] | None = None,
        temperature: float | Sequence[float] | Float[np.ndarray, " m"] | None = None,
        method: str | None = None,
        eta: float = 0.0,
        hop: int | None = None,
        lookahead: int | None = None,
        start: Float[np.ndarray, " m"] | None = None,
        poised: bool = True,
        blinker: Blinker | None = None,
        turned: Float[np.ndarray, " 3"] | None = None,
        **told: float | Sequence[float] | Float[np.ndarray, "..."],
    ) -> Iterator[Float[np.ndarray, "t m"]]:
        """Motion for `frames` frames, in pieces of `hop` (the last of up to a window), in constant memory.

        No frame of a piece depends on audio later than hop + lookahead frames after the start of the piece: that much
        has to be recorded before the piece can be made, and what is recorded later never changes it.

        Args:
          audio_chunks: 16 kHz audio in -1..1, pieces of any length; read as far as the next window needs.
          frames: how many frames to make; audio that is missing counts as silence.
          seed: same seed, same motion.
          steps: denoising steps a window.
          guidance: condition name -> lambda; those of `vasa_jax.conditions` if not given.
          temperature: scale of the starting noise, one for all or one per value of the motion; by default that of
            `inference.starting_noise`, where lips start from none. Below one the motion comes closer to the most
            likely one: better in time with the audio, less lively.
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
          turned: rotation (radians) by which the head with its eyes is turned after it was made: directions in the
            camera's frame, as the gaze, are told such that they are right then.
          **told: what the model is told (`MotionConfig.conditions`), in the units of `vasa_jax.conditions`: `gaze`
            (theta, phi), `distance`, `emotion` of 8, ...; zeros where nothing is said. Or one a frame, the last of
            which holds on.

        Yields:
          De-standardised motion [n, m].

        Raises:
          UsageError: hop and lookahead do not fit into a window; or the model knows no condition of such a name.
        """
        c, given = self.config, DEFAULT_GUIDANCE if guidance is None else guidance
        scales = {name: np.float32(value) for name, value in table.known_guidance(given, c.guided).items()}
        speak = self._speaker(steps, method or sampler.DEFAULT, eta)
        wanted = _Asked(c, told, turned)
        hop, span = self._reach(hop, lookahead, wanted.moving)
        starting = self.starting if temperature is None else StartingNoise(np.asarray(temperature, np.float32))
        reader = _AudioReader(audio_chunks, c.context * _SAMPLES)
        course = Course(c, self.scale, seed=seed, start=start, poised=poised, blinker=blinker)
        while (at := course.at) < frames:
            made = min(hop, frames - at) if at + span < frames or lookahead is not None else frames - at
            known = c.context + min(span, frames - at)
            audio = reader.read(c.frames * _SAMPLES, (c.context + span) * _SAMPLES)
            window = course.ask(audio, known, wanted.window(at, made))
            key = jax.random.fold_in(jax.random.key(seed), at)
            told_now = window.audio, window.floor, window.conditions, starting, key, scales, window.drop
            motion, level = map(np.asarray, speak(self.params, *told_now, self.speech))
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
        how: dict[str, Any] = {"steps": steps, "method": method, "eta": eta}
        known = self._compiled.get(tuple(how.values()))
        if known is None:
            known = jax.jit(functools.partial(speak_window, config=self.config, **how))
            self._compiled[tuple(how.values())] = known
        return known


def asked(
    config: MotionConfig, told: Mapping[str, Any], turned: Float[np.ndarray, " 3"] | None = None
) -> dict[str, Float[np.ndarray, "..."]]:
    """What a model is told, zeros where nothing is said, and directions as they are before the head is `turned`.

    Raises:
      UsageError: it is asked for something that it does not know; zeros are nothing that is asked for.
    """
    for name in sorted(told.keys() - set(config.conditions)):
        if np.any(np.asarray(told[name], np.float32)):
            raise UsageError(f"{name}: this motion model knows {', '.join(config.conditions)} only; leave it out")
    values = {one.name: np.asarray(told.get(one.name, np.zeros(one.shape)), np.float32) for one in config.told}
    for one in config.told:
        if one.turns and turned is not None and np.any(turned):
            before = directions.gaze_before(turned, values[one.name])
            values[one.name] = before.clip(-one.limit, one.limit).astype(np.float32)
    return values


class _Asked:
    """What is told of every window: as a whole, or frame by frame to models that understand it."""

    def __init__(self, config: MotionConfig, told: Mapping[str, Any], turned: np.ndarray | None) -> None:
        self._config, self._values = config, asked(config, told, turned)
        self._tracks = {one.name for one in config.told if self._values[one.name].ndim > len(one.shape)}

    @property
    def moving(self) -> bool:
        """Whether any of them is a track."""
        return bool(self._tracks)

    def window(self, at: int, made: int) -> dict[str, np.ndarray]:
        """What is told of the window that starts at frame `at`, of which `made` frames are used."""
        c = self._config
        index = at + (np.arange(-c.context, c.window) if c.per_frame else np.arange(made))
        fields = {}
        for name, value in self._values.items():
            if name in self._tracks:
                value = value[np.clip(index, 0, len(value) - 1)]
                value = value if c.per_frame else value.mean(0)
            fields[name] = value[None]
        return fields


class _AudioReader:
    """A window that moves over pieces of audio and keeps no more than it covers; zeros before the start and after the
    end, and where a sample is not finite."""

    def __init__(self, chunks: Iterable[Float[np.ndarray, "_"]], before: int) -> None:
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
