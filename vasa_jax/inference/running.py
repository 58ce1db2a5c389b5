"""What a listener hears of audio that is still being spoken: `downmix`, but nothing of it looks ahead.

A frame of 640 samples at a time, so it does not matter in what pieces the audio came. What is slower than speech is
taken away (one pole), and quiet speech is turned up by what has been heard so far: its level rises at once and falls by
1 dB a second, the background follows slowly, and nothing is turned up that does not stand clear of it.
"""

import numpy as np
from jaxtyping import Float
from scipy.signal import lfilter

RATE, FRAME = 16_000, 640
_BELOW = 30.0
"""Hz: lower is no speech."""
_QUIET, _USUAL, _CONTRAST, _LOWEST = -34.0, -14.0, 20.0, -100.0
"""dB of full scale, as in `downmix`: speech below the first is brought to the second, if it stands that far out."""
_RELEASE, _FLOOR_UP = 1.0 / 25, 3.0 / 25
"""dB a frame by which the level falls and the background rises."""
_SETTLING = 12
"""Loud frames in which a new gain is reached: half a second."""


class RunningHearing:
    """The state of one microphone."""

    def __init__(self) -> None:
        pole = float(np.exp(-2 * np.pi * _BELOW / RATE))
        self._b, self._a = (0.5 * (1 + pole), -0.5 * (1 + pole)), (1.0, -pole)
        self._state: np.ndarray | None = None
        self._level, self._gain = _LOWEST, 0.0
        self._floor: float | None = None

    def frame(self, audio: Float[np.ndarray, " 640"]) -> Float[np.ndarray, " 640"]:
        """The next frame, finite and within -1..1, as the motion model is to hear it."""
        audio = np.clip(np.nan_to_num(audio, nan=0.0, posinf=0.0, neginf=0.0), -1.0, 1.0)
        if self._state is None:  # as if the first sample had always been
            self._state = np.asarray([-self._b[0] * float(audio[0])])
        high, self._state = lfilter(self._b, self._a, audio.astype(np.float64), zi=self._state)
        energy = max(10 * float(np.log10(np.square(high).mean() + 1e-30)), _LOWEST)
        self._floor = floor = energy if self._floor is None else min(energy, self._floor + _FLOOR_UP)
        self._level = max(energy, self._level - _RELEASE)
        clear = self._level - floor >= _CONTRAST
        wanted = _USUAL - self._level if clear and _LOWEST < self._level < _QUIET else 0.0
        if energy > self._level - _CONTRAST:  # a pause changes nothing
            self._gain += (wanted - self._gain) / _SETTLING
        return np.clip(high * 10 ** (self._gain / 20), -1.0, 1.0).astype(np.float32)
