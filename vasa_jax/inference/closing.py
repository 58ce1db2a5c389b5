"""A mouth that opens as far as is asked, and one that is told to stop: closed in five frames (200 ms).

A face that stops goes back to the portrait's own expression, step by step. Where that has an open mouth, a change is
added that takes the opening, which the face model's label head reads off a code, to closed: the one that real codes
make, where the release knows it, else the smallest.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

FRAMES = 5
"""Frames of a closing; the mouth is closed in the last two."""
_SHARE = (1 - np.cos(np.pi * np.clip(np.arange(1, FRAMES + 1) / (FRAMES - 1), 0, 1))) / 2
_CLOSED = 0.05
"""Opening that shows a closed mouth: the bundled model's in silence has 0.02 to 0.09."""


@dataclasses.dataclass(frozen=True)
class Mouth:
    """How a code tells the opening of the mouth (0 closed), and how to close it.

    Attributes:
      kernel, bias: of the linear reading.
      direction: change of the code that opens the mouth by 1 and leaves rounding and lids as they are.
      course: change of real codes as the mouth opens by 1, rounding and lids with it; what images answer to.
      reach: how far codes have to go along it for mouths in images to open by 1; photographs may open less than those
        whom the codes were learned on.
    """

    kernel: Float[np.ndarray, " d"]
    bias: float
    direction: Float[np.ndarray, " d"]
    course: Float[np.ndarray, " d"] | None = None
    reach: float = 1.0

    def read(self, code: Float[np.ndarray, "*t d"]) -> Any:
        """Opening."""
        return code @ self.kernel + self.bias

    def opened(self, motion: Float[np.ndarray, " m"]) -> Float[np.ndarray, " m"]:
        """A frame's motion with the mouth open `reach` times as far; shut lips stay shut."""
        if self.course is None or self.reach == 1.0:
            return motion
        wider = (self.reach - 1.0) * max(float(self.read(motion[7:])) - _CLOSED, 0.0)
        return np.concatenate([motion[:7], motion[7:] + wider * self.course])


def mouth_of(
    head: dict[str, Any],
    std: Float[np.ndarray, " d"],
    course: Float[np.ndarray, " d"] | None = None,
    reach: float = 1.0,
) -> Mouth:
    """From a face model's label head.

    Args:
      head: "kernel" [d, 6] and "bias" [6]: mouth (opening, rounding), lids (2), eyes (2).
      std: of the codes, which says what a small change is.
      course, reach: as of `Mouth` (`motion_stats["opening"]`, `["mouth_reach"]`).
    """
    kernel, bias = (np.asarray(head[name], np.float64)[..., :4] for name in ("kernel", "bias"))
    spread = np.square(np.asarray(std, np.float64))[:, None] * kernel
    direction = spread @ np.linalg.lstsq(kernel.T @ spread, np.eye(4)[0], rcond=None)[0]
    return Mouth(kernel[:, 0], float(bias[0]), direction, course, reach)


def closing(
    last: Float[np.ndarray, " m"], rest: Float[np.ndarray, " m"], mouth: Mouth | None
) -> Float[np.ndarray, "5 m"]:
    """Motion that closes the mouth: the head held, the code on its way.

    Args:
      last: motion shown last.
      rest: the portrait's own.
      mouth: how to close it; None: nobody knows, and the portrait's is taken for closed.
    """
    last, rest = np.asarray(last, np.float64), np.asarray(rest, np.float64)[7:]
    if mouth is not None:
        course = mouth.direction if mouth.course is None else mouth.course
        rest = rest + min(_CLOSED - float(mouth.read(rest)), 0.0) * course
    code = last[7:] + _SHARE[:, None] * (rest - last[7:])
    return np.concatenate([np.tile(last[:7], (FRAMES, 1)), code], 1)
