"""The course of one performance: what each window of motion is told, and what is shown of what it answers.

    window = course.ask(audio, heard, told)        arguments of one window, for whatever runs it
    piece = course.take(motion, level, made)       the next `made` frames

Offline and live take the same steps, so the same windows give the same motion.
"""

import dataclasses

import numpy as np
from jaxtyping import Float

from vasa_jax.inference.blinks import Blinker
from vasa_jax.inference.poise import Poise
from vasa_jax.models.audio import log_mel
from vasa_jax.models.motion_transformer import MotionConditions, MotionConfig, nothing_asked

BLEND = 6
"""Frames over which a window takes over from the one before it."""


@dataclasses.dataclass(frozen=True)
class Scale:
    """How motion is standardised, and the bounds of what comes out, each [m]."""

    mean: Float[np.ndarray, " m"]
    std: Float[np.ndarray, " m"]
    low: Float[np.ndarray, " m"]
    high: Float[np.ndarray, " m"]


@dataclasses.dataclass(frozen=True)
class Told:
    """One window's own arguments of `motion.speak_window`; `seed` and `at` make its key."""

    audio: Float[np.ndarray, "n"]
    floor: np.float32
    conditions: MotionConditions
    drop: dict[str, np.ndarray]
    seed: np.uint32
    at: np.int32


class Course:
    """The state that goes from window to window.

    Args:
      config: of the motion model.
      scale: of its motion.
      seed: same seed, same motion.
      start: motion that was held before the first frame, in silence; None: nothing is known of it.
      poised: the head is drawn back to where it started (`inference.poise`).
      blinker: lays blinks over what is shown; the model never hears of them.
    """

    def __init__(
        self,
        config: MotionConfig,
        scale: Scale,
        *,
        seed: int = 0,
        start: Float[np.ndarray, " m"] | None = None,
        poised: bool = True,
        blinker: Blinker | None = None,
    ) -> None:
        self.at = self._born = 0
        self._config, self._scale, self._seed, self._blinker = config, scale, seed, blinker
        self._unknown, self._floor = start is None, np.float32(-np.inf)
        before = np.zeros(config.motion_dim) if start is None else (start - scale.mean) / scale.std
        self._previous = np.tile(before.astype(np.float32), (config.context, 1))
        self._ahead = self._previous[:0]
        self._poise = None
        if poised:
            self._poise = Poise(scale.mean[:7], None) if start is None else Poise(start[:7], start[:7])

    def ask(self, audio: Float[np.ndarray, "n"], known: int, told: dict[str, Float[np.ndarray, "1 ..."]]) -> Told:
        """The next window's arguments.

        Args:
          audio: of context and window; what lies after the known frames counts for nothing.
          known: frames of context and window that have audio.
          told: what the model is told (`MotionConditions.told`), each with the batch of one in front.
        """
        c = self._config
        audio[known * log_mel.SAMPLES_PER_FRAME :] = 0.0
        index = np.arange(c.frames)
        conditions = nothing_asked(c).replace(
            audio_mask=((index >= c.context - (self.at - self._born)) & (index < known))[None],
            previous=self._previous[None],
            told=told,
        )
        drop = {"previous": np.full(1, self.at == 0 and self._unknown)}
        return Told(audio, self._floor, conditions, drop, np.uint32(self._seed), np.int32(self.at))

    def take(
        self, motion: Float[np.ndarray, "w m"], level: Float[np.ndarray, ""] | np.floating, made: int, span: int
    ) -> Float[np.ndarray, "n m"]:
        """The next `made` frames [made, m] in raw units, of a window that heard `span`."""
        self._floor = np.float32(log_mel.least_level(float(level), made / 25.0))
        piece, ahead = joined(self._ahead, motion[:made]), motion[made:span]
        return self._shown(piece, ahead)

    def lead(self, motion: Float[np.ndarray, "n m"]) -> Float[np.ndarray, "n m"]:
        """Motion in raw units that comes from elsewhere is shown next.

        The windows after it are told that its last frame had been held, and of no audio before, as at a start: told of
        speech that breaks off the bundled model goes on speaking for a while.
        """
        standard = ((motion - self._scale.mean) / self._scale.std).astype(np.float32)
        shown = self._shown(standard, np.repeat(standard[-1:], BLEND, 0))
        self._previous, self._born = np.repeat(self._previous[-1:], self._config.context, 0), self.at
        return shown

    @property
    def last(self) -> Float[np.ndarray, " m"]:
        """The last frame as the next window is told it, in raw units: without blinks."""
        return self._previous[-1] * self._scale.std + self._scale.mean

    def _shown(self, motion: Float[np.ndarray, "t m"], ahead: Float[np.ndarray, "a m"]) -> Float[np.ndarray, "t m"]:
        if self._poise is not None:
            motion, ahead = self._poised(self._poise, motion, ahead)
        self._ahead = ahead
        self._previous = np.concatenate([self._previous, motion])[-self._config.context :]
        self.at += len(motion)
        scale = self._scale
        piece = np.clip(motion * scale.std + scale.mean, scale.low, scale.high)
        return piece if self._blinker is None else self._blinker.over(piece)

    def _poised(
        self, poise: Poise, motion: Float[np.ndarray, "t m"], ahead: Float[np.ndarray, "a m"]
    ) -> tuple[Float[np.ndarray, "t m"], Float[np.ndarray, "a m"]]:
        """The motion with the head as it is shown, and what the window says of later frames moved along."""
        mean, std = self._scale.mean[:7], self._scale.std[:7]
        shown, moved = motion.copy(), ahead.copy()
        shown[:, :7] = (poise.follow(motion[:, :7] * std + mean) - mean) / std
        moved[:, :7] += shown[-1, :7] - motion[-1, :7]
        return shown, moved


def joined(ahead: Float[np.ndarray, "a m"], motion: Float[np.ndarray, "t m"]) -> Float[np.ndarray, "t m"]:
    """The motion, come to step by step from what the window before had made of the same frames (Ditto does so too)."""
    count = min(len(ahead), len(motion), BLEND)
    share = np.arange(1, count + 1, dtype=np.float32)[:, None] / (count + 1)
    return np.concatenate([(1 - share) * ahead[:count] + share * motion[:count], motion[count:]])
