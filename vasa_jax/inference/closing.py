"""A mouth that is told to stop: closed within five frames (200 ms), whatever it was saying.

The face model's label head reads the mouth's opening off a code; the smallest change that takes the opening to closed
and leaves rounding and lids as they are is laid over what was shown last, step by step. Without a label head the code
goes back to the portrait's own.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

FRAMES = 5
"""Frames of a closing; the mouth is closed in the last two."""
_SHARE = (1 - np.cos(np.pi * np.clip(np.arange(1, FRAMES + 1) / (FRAMES - 1), 0, 1))) / 2
_CLOSED = 0.0


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
      rest: the portrait's own, gone back to where nobody knows what closes a mouth.
      mouth: what does.
    """
    last = np.asarray(last, np.float64)
    if mouth is None:
        away = np.asarray(rest, np.float64)[7:] - last[7:]
    else:
        away = min(_CLOSED - float(mouth.read(last[7:])), 0.0) * mouth.direction
    return np.concatenate([np.tile(last[:7], (FRAMES, 1)), last[7:] + _SHARE[:, None] * away], 1)
