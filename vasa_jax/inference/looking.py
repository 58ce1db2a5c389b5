"""Eyes that look where they are asked to while the head moves.

The eyes of a portrait are taken to look into the camera. Wherever its head turns, they turn back in it by as much (the
vestibulo-ocular reflex): they stay on the viewer, or on what `--gaze` names. Now and then they glance elsewhere for a
moment, as the eyes of somebody who listens do.

This is a process of its own, laid over the codes after the motion model, as blinks are (`inference.leading` says why).
"""

import numpy as np
from jaxtyping import Float

from vasa_jax.ops import directions

LIMIT = np.asarray([0.5, 0.3])
"""Radians that eyes turn from where the portrait has them, aside, and up or down; what the generator has learned."""
SPEED = 0.24
"""Radians a frame: a saccade of 10 degrees lasts 50 ms (Bahill, Clark & Stark 1975)."""
GLANCE = np.asarray([0.035, 0.02])
"""Standard deviation of a glance aside, and up or down, in radians: from eye to eye and mouth of who listens."""
HOLD, SHORTEST, LONGEST = 1.2, 0.4, 4.0
"""Seconds from glance to glance: mean of an exponential distribution, and its bounds."""
FPS = 25


class Looking:
    """The eyes of one performance; its state goes from frame to frame.

    Args:
      course: how a code changes as eyes turn by one radian aside and up.
      home: the portrait's pose, in which its eyes look into the camera.
      seed: same seed, same glances.
      glances: whether there are any.
    """

    def __init__(
        self, course: Float[np.ndarray, "2 d"], home: Float[np.ndarray, " 7"], seed: int = 0, glances: bool = True
    ) -> None:
        self._course, self._seed, self._glances = np.asarray(course, np.float64), seed, glances
        self._rest = directions.gaze_before(home[:3], np.zeros(2))
        self._turned, self._glance = np.zeros(2), np.zeros(2)  # a video starts from the portrait as it is
        self._left, self._count = FPS, 0

    def frame(self, motion: Float[np.ndarray, " m"], gaze: Float[np.ndarray, " 2"]) -> Float[np.ndarray, " m"]:
        """The next frame, its head where it is shown, with its eyes on a gaze (radians, in the camera's frame)."""
        if self._glances and self._left == 0:
            self._look_elsewhere()
        self._left -= 1
        wanted = directions.gaze_before(motion[:3], np.asarray(gaze, np.float64) + self._glance) - self._rest
        step = np.clip(wanted, -LIMIT, LIMIT) - self._turned
        self._turned = self._turned + np.clip(step, -SPEED, SPEED)
        shown = np.array(motion)
        shown[7:] += self._turned @ self._course
        return shown

    def _look_elsewhere(self) -> None:
        draw = np.random.default_rng([self._seed, self._count])
        self._glance = draw.normal(size=2) * GLANCE
        self._left = round(FPS * np.clip(draw.exponential(HOLD), SHORTEST, LONGEST))
        self._count += 1
