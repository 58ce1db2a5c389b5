"""A mouth that is told to stop: closed within five frames (200 ms), whatever it was saying.

The face goes back to the portrait's own expression, step by step. Where that has an open mouth, the smallest change is
added that takes the opening, which the face model's label head reads off a code, to closed and leaves the rest alone.
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
    """

    kernel: Float[np.ndarray, " d"]
    bias: float
    direction: Float[np.ndarray, " d"]

    def read(self, code: Float[np.ndarray, "*t d"]) -> Any:
        """Opening."""
        return code @ self.kernel + self.bias


def mouth_of(head: dict[str, Any], std: Float[np.ndarray, " d"]) -> Mouth:
    """From a face model's label head.

    Args:
      head: "kernel" [d, 6] and "bias" [6]: mouth (opening, rounding), lids (2), eyes (2).
      std: of the codes, which says what a small change is.
    """
    kernel, bias = (np.asarray(head[name], np.float64)[..., :4] for name in ("kernel", "bias"))
    spread = np.square(np.asarray(std, np.float64))[:, None] * kernel
    direction = spread @ np.linalg.lstsq(kernel.T @ spread, np.eye(4)[0], rcond=None)[0]
    return Mouth(kernel[:, 0], float(bias[0]), direction)


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
        rest = rest + min(_CLOSED - float(mouth.read(rest)), 0.0) * mouth.direction
    code = last[7:] + _SHARE[:, None] * (rest - last[7:])
    return np.concatenate([np.tile(last[:7], (FRAMES, 1)), code], 1)
