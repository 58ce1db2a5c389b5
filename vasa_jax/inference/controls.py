"""What a user can ask of a talking face, checked before anything is computed."""

import dataclasses
import difflib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.diffusion.sampler import DEFAULT, SAMPLERS
from vasa_jax.errors import UsageError
from vasa_jax.inference import blinks

EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""HSEmotion order."""
GUIDED = ("audio", "gaze", "distance", "emotion", "previous")
"""Conditions that have a guidance strength, cfg_NAME."""
GAZE_LIMIT, DISTANCE_LIMIT = 1.0, 5.0
_LIMITS = {"steps": (1, 1000), **{f"cfg_{name}": (0, 20) for name in GUIDED}}

Track = Sequence[float] | np.ndarray
"""One value a frame; the last one holds on."""


@dataclasses.dataclass(frozen=True)
class Controls:
    """How to speak. Gaze, distance and emotions are constants, or tracks with a value for every frame.

    Attributes:
      seed: same seed, same motion.
      steps: denoising steps a window.
      sampler: one of `diffusion.sampler.SAMPLERS`.
      hop: frames that a window of motion is used for; fewer follow tracks closer and cost more. None: by the model.
      cfg_audio, cfg_gaze, cfg_distance, cfg_emotion, cfg_previous: guidance strengths lambda of the paper's eq. 4.
      gaze: main gaze (theta, phi) in radians, + to the image's right and up; (0, 0) looks into the camera. Or [t, 2].
      distance: of the head, in standard deviations of the training set, + is nearer. Or [t].
      emotion: name -> strength -1..1, added to what the speech implies. Or name -> [t].
      blinks: one of `blinks.MODES`: "auto", "model" (as the motion model has them) or "off".
    """

    seed: int = 0
    steps: int = 10
    sampler: str = DEFAULT
    hop: int | None = None
    cfg_audio: float = 0.5
    cfg_gaze: float = 1.0
    cfg_distance: float = 0.0
    cfg_emotion: float = 0.0
    cfg_previous: float = 0.0
    gaze: tuple[float, float] | np.ndarray = (0.0, 0.0)
    distance: float | Track = 0.0
    emotion: Mapping[str, float | Track] = dataclasses.field(default_factory=dict)
    blinks: str = blinks.AUTO

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed {self.seed}: give a whole number from 0 to 2147483647")
        for name, (low, high) in _LIMITS.items():
            value = getattr(self, name)
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"{name} {value:g}: give a value from {low} to {high}")
        if self.sampler not in SAMPLERS:
            raise UsageError(f"sampler {self.sampler!r} is unknown: one of {', '.join(SAMPLERS)}")
        if self.blinks not in blinks.MODES:
            raise UsageError(f"blinks {self.blinks!r} is unknown: one of {', '.join(blinks.MODES)}")
        if self.hop is not None and self.hop < 1:
            raise UsageError(f"hop {self.hop}: give a number of frames, at least 1")
        _check("gaze", self.gaze, GAZE_LIMIT, "theta,phi in radians", last=2)
        _check("distance", self.distance, DISTANCE_LIMIT, "standard deviations")
        for name, value in self.emotion.items():
            if name not in EMOTIONS:
                near = difflib.get_close_matches(name.lower(), EMOTIONS, 1, 0.5)
                hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(EMOTIONS)}"
                raise UsageError(f"emotion {name!r} is unknown: {hint}")
            _check(f"emotion {name}", value, 1.0, "a strength")

    def emotion_vector(self) -> Float[np.ndarray, "*t 8"]:
        """The offsets in HSEmotion order; [t, 8] where one of them is a track, as long as the longest."""
        longest = max((np.size(value) for value in self.emotion.values() if np.ndim(value)), default=None)
        if longest is None:
            return np.asarray([self.emotion.get(name, 0.0) for name in EMOTIONS], np.float32)
        columns = [np.atleast_1d(self.emotion.get(name, 0.0)) for name in EMOTIONS]
        return np.stack([np.pad(c, (0, longest - len(c)), mode="edge") for c in columns], -1).astype(np.float32)

    def guidance(self) -> dict[str, float]:
        """Condition -> strength, of those that guide at all."""
        scales = {name: getattr(self, f"cfg_{name}") for name in GUIDED}
        return {name: value for name, value in scales.items() if value}

    def described(self) -> dict[str, Any]:
        """The fields for a report; of a track only its length."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        fields["gaze"] = tuple(fields["gaze"]) if np.ndim(self.gaze) == 1 else _length(self.gaze)
        fields["emotion"] = {name: _length(value) for name, value in self.emotion.items()}
        return fields | {"distance": _length(self.distance)}


def _length(value: float | Track) -> float | str:
    return float(value) if np.ndim(value) == 0 else f"track of {len(value)} frames"


def _check(name: str, value: Any, limit: float, unit: str, last: int | None = None) -> None:
    """A constant or a track of finite values from -limit to limit; `last`: how many values it has a frame."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name} {value!r}: give {unit}, as numbers") from None
    shape = array.shape if last is None else array.shape[:-1]
    fits = len(shape) <= 1 and array.size > 0 and (last is None or array.shape[-1:] == (last,))
    if not fits or not (np.abs(array) <= limit).all():  # NaN is not below anything
        said = f"{name} {value:g}" if array.ndim == 0 else f"{name} {value}" if array.size < 9 else name
        raise UsageError(f"{said}: give {unit}, each from {-limit:g} to {limit:g}")


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
