"""A head that stays about where it started and does not tremble, and still moves as the motion model moves it.

Every window continues the poses of the one before, so nothing tells a model where its head had been ten windows ago:
the head is a random walk, and some seeds end turned far aside. Here the model gives the steps, and the place is drawn
back to rest (an Ornstein-Uhlenbeck process, Uhlenbeck & Ornstein 1930):

    place[t] = place[t-1] + SHARE * (model[t] - model[t-1]) - pull * (place[t-1] - rest)
    pull     = (1 + (distance from rest / FAR)^2) / (RETURN seconds)

A nod is over before the pull has done anything to it; a turn that is held comes back. Then two poles take off the
trembling above SMOOTH. All is causal, a frame at a time, so it is the same however the motion is cut into pieces.
"""

import numpy as np
from jaxtyping import Float

RETURN = 3.0
"""Seconds in which a turned head comes back by a factor of e, near rest."""
FAR = 0.15
"""Radians (8.6 degrees) at which the pull has doubled."""
SMOOTH = 3.0
"""Hz: above it a head that speaks hardly moves."""
SHARE = np.asarray([0.9, 0.45, 1, 1, 1, 1, 1])
"""Of the model's steps, that is taken. Of yaw less than half: the bundled model has learned from drawn heads, too, and
turns aside two to three times as far as people of GRID do in as many seconds; nods are a little too wide."""
FPS = 25
_ANGLES, _PLACE = slice(0, 3), slice(0, 6)
"""Of a pose: its rotation; and what is drawn back, which leaves the scale to the distance that is asked for."""


class Poise:
    """The state of one head, in raw units.

    Args:
      rest: pose that the head is drawn to [7]: rotation (radians), translation, scale.
      last: pose before the first frame; by default the first frame counts as it is.
    """

    def __init__(self, rest: Float[np.ndarray, " 7"], last: Float[np.ndarray, " 7"] | None = None) -> None:
        self._rest = np.asarray(rest, np.float64)
        self._last = None if last is None else np.asarray(last, np.float64)
        known = self._rest if self._last is None else self._last
        self._place, self._poles = known, [known, known]
        self._keep = np.exp(-2 * np.pi * SMOOTH / FPS)

    def follow(self, poses: Float[np.ndarray, "t 7"]) -> Float[np.ndarray, "t 7"]:
        """What is shown of the next frames; `poses` go on from what was shown last, as of a model that was told it."""
        shown = np.empty(np.shape(poses), np.float64)
        for k, pose in enumerate(np.asarray(poses, np.float64)):
            if self._last is None:
                self._place, self._poles = pose, [pose, pose]
            else:
                self._place = self._place + SHARE * (pose - self._last) - self._pulled()
            self._last = pose
            signal = self._place
            for i, before in enumerate(self._poles):
                self._poles[i] = signal = self._keep * before + (1 - self._keep) * signal
            shown[k] = signal
        if len(shown):
            self._last = shown[-1]
        return shown.astype(np.float32)

    def _pulled(self) -> Float[np.ndarray, " 7"]:
        away = self._place - self._rest
        far = np.square(away[_ANGLES]).sum() / FAR**2
        pulled = np.zeros_like(away)
        pulled[_PLACE] = away[_PLACE] * min((1 + far) / (RETURN * FPS), 1.0)
        return pulled
