"""Blinks that show: the motion model's own made whole, and others where it goes too long without.

A motion model whose noise is cooled for the sake of the mouth blinks too seldom, and some seeds never do; and lids that
are closed in the code are half open in the image of a person that the face model never saw. This is a process of its
own, laid over the codes after the motion model, which never hears of it. A frame at a time:

    read      closure of the lids above their rest, by the face model's label head (a linear reading of the code)
    carry     a closure of the model's that is more than a flutter is carried on to a whole one
    renew     no blink for a gap drawn from a gamma distribution: one is made, 0.3 s long, closing faster than it opens
    add       to the code, along the direction in which real codes go as lids close, by as much as the image needs

So the same seed gives the same blinks however the frames are cut into pieces, no blink begins within another, and
the mouth, as the label head reads it, is that without them.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.errors import UsageError

MOUTH_KEPT = (0.0, 0.0, 1.0, 1.0)
"""What a closed pair of lids changes in the label head's first readings: opening and rounding of the mouth, lids."""
AUTO, MODEL, OFF = "auto", "model", "off"
MODES = AUTO, MODEL, OFF
FPS = 25
GAP, SHAPE, SHORTEST, LONGEST = 4.0, 4.0, 1.6, 8.0
"""Seconds from blink to blink: mean and shape of the gamma distribution, and bounds. People who speak blink 10 to 20
times a minute, with gaps that are skewed like these (Bentivoglio et al. 1997; Stern et al. 1984). The shape makes them
more even than people's, so that no minute of any seed goes without."""
CLOSING, CLOSED, OPENING = 0.09, 0.06, 0.15
"""Seconds of a blink's parts (Caffier et al. 2003); real codes of GRID close in two frames and open in five."""
FLUTTER, WHOLE = 0.2, 0.45
"""Closure above rest that is no blink yet, and that counts as one; between them it is carried on by degrees."""
_SETTLING = 2.0  # seconds in which the resting closure follows the lids; half as fast where they may be blinking
_CARRIED = 0.5, 1.0  # seconds after which a closure is no blink any more, and is let go


def profile(seconds: Float[np.ndarray, "*n"] | float) -> Any:
    """Closure 0..1 at a time since a blink's start: raised cosines, 0 before and after."""
    at = np.asarray(seconds, np.float64)
    down = np.clip(at / CLOSING, 0, 1)
    up = np.clip((at - CLOSING - CLOSED) / OPENING, 0, 1)
    return 0.25 * (1 - np.cos(np.pi * down)) * (1 + np.cos(np.pi * up))


@dataclasses.dataclass(frozen=True)
class Lids:
    """How a dynamics code tells the lids, and how to close them.

    Attributes:
      kernel, bias: of the linear reading of closure, 0 open and 1 closed, both eyes averaged.
      direction: change of the code that closes the lids by 1 and leaves the mouth's readings as they are.
      reach: closure above 0 that the image needs to show closed eyes; above 1 for faces that close too little.
    """

    kernel: Float[np.ndarray, " d"]
    bias: float
    direction: Float[np.ndarray, " d"]
    reach: float = 1.0

    def read(self, code: Float[np.ndarray, "*t d"]) -> Any:
        """Closure."""
        return code @ self.kernel + self.bias


def lids_of(
    head: dict[str, Any],
    std: Float[np.ndarray, " d"],
    course: Float[np.ndarray, " d"] | None = None,
    reach: float = 1.0,
) -> Lids:
    """From a face model's label head.

    Args:
      head: "kernel" [d, 6] and "bias" [6]: mouth (2), lids (2), eyes (2).
      std: of the codes, which says what a small change is.
      course: how real codes change as lids close by one (`motion_stats["blink"]` of a release). Without it the smallest
        change that closes the lids by the label head is taken, which closes them in images by less.
      reach: see `Lids` (`motion_stats["reach"]`).
    """
    kernel, bias = (np.asarray(head[name], np.float64)[..., :4] for name in ("kernel", "bias"))
    course = np.zeros(len(kernel)) if course is None else np.asarray(course, np.float64)
    spread = np.square(np.asarray(std, np.float64))[:, None] * kernel
    # The smallest further change, in standard deviations, after which the readings are those wanted.
    missing = np.linalg.lstsq(kernel.T @ spread, MOUTH_KEPT - course @ kernel, rcond=None)[0]
    return Lids(kernel[:, 2:4].mean(1), float(bias[2:4].mean()), course + spread @ missing, reach)


class Blinker:
    """The blinks of one performance; its state goes from frame to frame.

    Args:
      lids: of the face.
      seed: same seed, same gaps.
      mode: AUTO; MODEL: as the motion model has them; OFF: held open.
      start: code before the first frame, whose lids are at rest.
    """

    def __init__(self, lids: Lids, seed: int = 0, mode: str = AUTO, start: Float[np.ndarray, " d"] | None = None):
        if mode not in MODES:
            raise UsageError(f"blinks {mode!r}: one of {', '.join(MODES)}")
        self._lids, self._seed, self._mode = lids, seed, mode
        self._rest = None if start is None else float(lids.read(np.asarray(start, np.float64)))
        self._at, self._count = 0, 0
        self._own = False  # whether the model's lids are closing or closed
        self._made: float | None = None  # frame, not whole, at which the blink under way began
        self._started = -SHORTEST * FPS
        self._due = FPS * self._draw(-1).uniform(0.5, GAP)  # a video starts from the portrait as it is

    def over(self, motion: Float[np.ndarray, "t m"]) -> Float[np.ndarray, "t m"]:
        """The next frames of motion with their blinks."""
        return np.stack([self.frame(frame) for frame in motion]) if len(motion) else motion

    def frame(self, motion: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """The next frame of motion (pose and code), with its blinks."""
        if self._mode == MODEL:
            return motion
        above = self._above(motion[7:])
        wanted = self._closure(above)
        shown = np.array(motion)
        shown[7:] += (wanted - above) * self._lids.direction
        self._at += 1
        return shown

    def _above(self, code: Float[np.ndarray, " d"]) -> float:
        """Closure above rest, and the rest brought up to date."""
        level = float(self._lids.read(np.asarray(code, np.float64)))
        if self._rest is None:
            self._rest = min(level, 0.5)
        above = level - self._rest
        self._rest += above / (_SETTLING * FPS) * (1.0 if above < FLUTTER else 0.5)
        return above

    def _closure(self, above: float) -> float:
        """Closure above rest that is shown."""
        if self._mode == OFF:
            return min(above, FLUTTER)
        self._own = above >= (FLUTTER + WHOLE) / 2 or (self._own and above > FLUTTER)
        if self._made is None and self._at - self._started >= SHORTEST * FPS:
            if self._own:
                self._begin(self._at)
            elif self._at >= self._due and above < WHOLE:
                self._made = self._at - self._begin(self._at)
        since = (self._at - self._started) / FPS
        carried = np.clip((above - FLUTTER) / (WHOLE - FLUTTER), 0, 1) * np.interp(since, _CARRIED, (1, 0))
        made = 0.0
        if self._made is not None:
            made = float(profile((self._at + 1 - self._made) / FPS))
            if (self._at + 1 - self._made) / FPS >= CLOSING + CLOSED + OPENING:
                self._made = None
        reach = max(self._lids.reach - max(self._rest or 0.0, 0.0), 0.0)
        return max(above, reach * float(carried), reach * made)

    def _begin(self, at: float) -> float:
        """A blink begins, or is known to have begun; the next one falls due after a gap.

        Returns:
          A share of a frame, so that the frames do not show all blinks at the same moments.
        """
        self._started = at
        self._count += 1
        draw = self._draw(self._count)
        self._due = at + FPS * float(np.clip(draw.gamma(SHAPE, GAP / SHAPE), SHORTEST, LONGEST))
        return float(draw.uniform(0, 0.5))

    def _draw(self, number: int) -> np.random.Generator:
        return np.random.default_rng([self._seed, number + 1])
