"""What leads a performance beside the motion model: the gaze and the expression that are asked for.

    courses = courses_of(motion_stats)                what a release keeps; None: it leads nothing
    leading = Leading(courses, home, seed)
    shown = leading.frame(motion, gaze, emotion)      a frame at a time

Codes that were learned from few people hardly tell gaze and brows, and a motion model can ask for no more than its
codes tell. So both are written along directions that the codes leave unused, where the generator has learned to read
them (`vasa_jax.training.generator_task.Courses`). The motion model is not told the gaze; it is told the emotion, and
moves the lips by it as far as it can.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.conditions import EMOTIONS
from vasa_jax.inference.looking import Looking

LED = ("gaze", "emotion")
"""What is led here."""
# Smile, brows, inner brows (`vasa_jax.training.expressions.CHANNELS`), by the action units of EMFACS (Ekman & Friesen).
# No smile: generators trained so far smear mouths by it (docs/findings.md).
_FACES = {
    "anger": (0.0, -1.0, -1.0),  # 4
    "contempt": (0.0, 0.0, -0.4),
    "disgust": (0.0, -0.7, -0.5),  # 4 often goes with 9
    "fear": (0.0, 0.8, 0.8),  # 1, 2, 4
    "happiness": (0.0, 0.15, 0.0),
    "neutral": (0.0, 0.0, 0.0),
    "sadness": (0.0, -0.1, 1.0),  # 1, 4
    "surprise": (0.0, 1.0, 0.5),  # 1, 2
}
FACES = np.asarray([_FACES[name] for name in EMOTIONS])
"""Amounts of each channel at full strength of each emotion."""
RISE = 0.35
"""Seconds in which an expression comes, or passes, by a factor of e."""
FPS = 25


@dataclasses.dataclass(frozen=True)
class Courses:
    """How a code changes, of a release whose generator has learned it."""

    gaze: Float[np.ndarray, "2 d"]
    """Eyes turn by one radian aside and up."""
    expressions: Float[np.ndarray, "c d"]
    """Each channel of an expression moves by 1."""


def courses_of(stats: Mapping[str, Any]) -> Courses | None:
    """Those of a release's motion statistics, if it has them."""
    names = [field.name for field in dataclasses.fields(Courses)]
    return Courses(*(np.asarray(stats[name], np.float64) for name in names)) if stats.keys() >= set(names) else None


class Leading:
    """The state of one performance, which goes from frame to frame.

    Args:
      courses: of the release.
      home: the portrait's pose, in which its eyes look into the camera.
      seed: same seed, same glances.
      glances: whether there are any.
    """

    def __init__(self, courses: Courses, home: Float[np.ndarray, " 7"], seed: int = 0, glances: bool = True) -> None:
        self._looking, self._courses = Looking(courses.gaze, home, seed, glances), courses.expressions
        self._amounts = np.zeros(len(courses.expressions))  # a video starts from the portrait as it is
        self._share = 1.0 - np.exp(-1.0 / (RISE * FPS))

    def frame(
        self, motion: Float[np.ndarray, " m"], gaze: Float[np.ndarray, " 2"], emotion: Float[np.ndarray, " e"]
    ) -> Float[np.ndarray, " m"]:
        """The next frame, its head where it is shown, with this gaze in the camera's frame and these emotions."""
        wanted = np.clip(np.asarray(emotion, np.float64) @ FACES, -1.0, 1.0)
        self._amounts = self._amounts + self._share * (wanted - self._amounts)
        shown = self._looking.frame(motion, gaze)
        shown[7:] += self._amounts @ self._courses
        return shown

    def over(
        self, motion: Iterator[Float[np.ndarray, " m"]], told: Mapping[str, Any]
    ) -> Iterator[Float[np.ndarray, " m"]]:
        """All frames; `told` has gaze and emotion, one or one a frame, the last of which holds on."""
        tracks = [np.atleast_2d(np.asarray(told[name], np.float64)) for name in LED]
        for at, vector in enumerate(motion):
            yield self.frame(vector, *(track[min(at, len(track) - 1)] for track in tracks))


def told_beside(told: Mapping[str, Any]) -> dict[str, Any]:
    """What a motion model is told beside a `Leading`: all but the gaze."""
    return {name: np.zeros(2) if name == "gaze" else value for name, value in told.items()}
