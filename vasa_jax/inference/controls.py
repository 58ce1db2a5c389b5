"""What a user can ask of a talking face, checked before anything is computed."""

import dataclasses
import difflib
import math
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from vasa_jax.errors import UsageError

EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""HSEmotion order."""
_LIMITS = {"steps": (1, 1000), "cfg_audio": (0, 20), "cfg_gaze": (0, 20), "distance": (-5, 5)}
_GAZE_LIMIT = 1.0


@dataclasses.dataclass(frozen=True)
class Controls:
    """How to speak.

    Attributes:
      seed: same seed, same motion.
      steps: denoising steps a window.
      cfg_audio, cfg_gaze: guidance strengths lambda of the paper's eq. 4.
      gaze: main gaze (theta, phi) in radians, + to the image's right and up; (0, 0) looks into the camera.
      distance: of the head, in standard deviations of the training set, + is nearer.
      emotion: name -> strength -1..1, added to what the speech implies.
    """

    seed: int = 0
    steps: int = 10
    cfg_audio: float = 0.5
    cfg_gaze: float = 1.0
    gaze: tuple[float, float] = (0.0, 0.0)
    distance: float = 0.0
    emotion: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed {self.seed}: give a whole number from 0 to 2147483647")
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"{name} {value:g}: give a value from {low} to {high}")
        if len(self.gaze) != 2 or not all(math.isfinite(a) and abs(a) <= _GAZE_LIMIT for a in self.gaze):
            raise UsageError(
                f"gaze {self.gaze}: give theta,phi in radians, each from -{_GAZE_LIMIT:g} to {_GAZE_LIMIT:g}"
            )
        for name, value in self.emotion.items():
            if name not in EMOTIONS:
                near = difflib.get_close_matches(name.lower(), EMOTIONS, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(EMOTIONS)}"
                raise UsageError(f"emotion {name!r} is unknown: {hint}")
            if not (math.isfinite(value) and -1 <= value <= 1):
                raise UsageError(f"emotion {name}:{value:g}: give a strength from -1 to 1")

    def emotion_vector(self) -> Float[np.ndarray, " 8"]:
        """The offsets in HSEmotion order."""
        return np.asarray([self.emotion.get(name, 0.0) for name in EMOTIONS], np.float32)


def parse_gaze(text: str) -> tuple[float, float]:
    """'theta,phi' -> radians."""
    try:
        theta, phi = (float(part) for part in text.split(","))
    except ValueError:
        raise UsageError(f"--gaze={text}: give two numbers theta,phi in radians, for instance 0.2,-0.1") from None
    return theta, phi


def parse_emotion(text: str) -> dict[str, float]:
    """'happiness:0.6,surprise:0.2' -> {"happiness": 0.6, "surprise": 0.2}; empty text is no emotion."""
    emotion = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, colon, value = part.partition(":")
        try:
            emotion[name.strip()] = float(value) if colon else 1.0
        except ValueError:
            raise UsageError(f"--emotion={text}: give name:strength, for instance happiness:0.6") from None
    return emotion
