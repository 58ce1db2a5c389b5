"""What a user can ask of a talking face, checked before anything is computed."""

import dataclasses
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from jaxtyping import Float

from vasa_jax import conditions
from vasa_jax.conditions import EMOTIONS, Condition
from vasa_jax.diffusion.sampler import DEFAULT, SAMPLERS
from vasa_jax.errors import UsageError
from vasa_jax.inference import blinks

__all__ = ["EMOTIONS", "Controls", "Track", "parse_emotion", "parse_gaze"]

_STEPS, _STRENGTH = (1, 1000), (0, 20)
parse_gaze, parse_emotion = (conditions.get(name).parse for name in ("gaze", "emotion"))

Track = Sequence[float] | np.ndarray
"""One value a frame; the last one holds on."""


class _Asked:
    """The methods of `Controls`, and those of its fields that are no condition's."""

    seed: int
    steps: int
    sampler: str
    hop: int | None
    blinks: str

    @property
    def scales(self) -> dict[str, float]:
        """Condition -> guidance strength."""
        return {one.name: getattr(self, f"cfg_{one.name}") for one in conditions.CONDITIONS}

    @property
    def told(self) -> dict[str, Any]:
        """Condition -> what is asked of it."""
        return {one.name: getattr(self, one.name) for one in conditions.told()}

    def __post_init__(self) -> None:
        if not 0 <= self.seed < 2**31:
            raise UsageError(f"seed {self.seed}: give a whole number from 0 to 2147483647")
        bounded: dict[str, tuple[float, tuple[int, int]]] = {"steps": (self.steps, _STEPS)}
        bounded |= {f"cfg_{name}": (value, _STRENGTH) for name, value in self.scales.items()}
        for name, (value, (low, high)) in bounded.items():
            if not (math.isfinite(value) and low <= value <= high):
                raise UsageError(f"{name} {value:g}: give a value from {low} to {high}")
        if self.sampler not in SAMPLERS:
            raise UsageError(f"sampler {self.sampler!r} is unknown: one of {', '.join(SAMPLERS)}")
        if self.blinks not in blinks.MODES:
            raise UsageError(f"blinks {self.blinks!r} is unknown: one of {', '.join(blinks.MODES)}")
        if self.hop is not None and self.hop < 1:
            raise UsageError(f"hop {self.hop}: give a number of frames, at least 1")
        for name, value in self.told.items():
            condition = conditions.get(name)
            if not condition.named:
                _check(name, value, condition, condition.shape)
                continue
            for part, strength in value.items():
                condition.check_part(part)
                _check(f"{name} {part}", strength, condition, ())

    def vectors(self) -> dict[str, Any]:
        """What is told in numbers, as the model takes it: named parts in their order."""
        return {name: self._vector(conditions.get(name), value) for name, value in self.told.items()}

    @staticmethod
    def _vector(condition: Condition, value: Any) -> Any:
        """Of named parts [n]; [t, n] where one of them is a track, as long as the longest. Others as they are."""
        if not condition.named:
            return value
        longest = max((np.size(one) for one in value.values() if np.ndim(one)), default=None)
        if longest is None:
            return np.asarray([value.get(name, 0.0) for name in condition.parts], np.float32)
        columns = [np.atleast_1d(value.get(name, 0.0)) for name in condition.parts]
        return np.stack([np.pad(c, (0, longest - len(c)), mode="edge") for c in columns], -1).astype(np.float32)

    def emotion_vector(self) -> Float[np.ndarray, "*t 8"]:
        """The emotion of `vectors`, in HSEmotion order."""
        return self.vectors()["emotion"]

    def guidance(self) -> dict[str, float]:
        """Condition -> strength, of those that guide at all."""
        return {name: value for name, value in self.scales.items() if value}

    def described(self) -> dict[str, Any]:
        """The fields for a report; of a track only its length."""
        fields = {field.name: getattr(self, field.name) for field in dataclasses.fields(cast(Any, self))}
        return fields | {name: _said(conditions.get(name), value) for name, value in self.told.items()}


def declare() -> type:
    """The class `Controls` of the table as it is."""

    def asked(one: Condition) -> tuple[str, Any, dataclasses.Field]:
        return one.name, Any, dataclasses.field(default_factory=lambda: one.nothing)

    fields = [
        ("seed", int, 0),
        ("steps", int, 10),
        ("sampler", str, DEFAULT),
        ("hop", int | None, None),
        *((f"cfg_{one.name}", float, one.guidance) for one in conditions.CONDITIONS),
        *map(asked, conditions.told()),
        ("blinks", str, blinks.AUTO),
    ]
    names = {"__doc__": _DOC, "__module__": __name__}
    return dataclasses.make_dataclass("Controls", fields, bases=(_Asked,), namespace=names, frozen=True)


def _said(condition: Condition, value: Any) -> Any:
    if condition.named:
        return {name: _length(one) for name, one in value.items()}
    return tuple(value) if condition.shape and np.ndim(value) == 1 else _length(value)


def _length(value: float | Track) -> float | str:
    return float(value) if isinstance(value, (int, float, np.generic)) else f"track of {len(value)} frames"


def _check(name: str, value: Any, condition: Condition, shape: tuple[int, ...]) -> None:
    """A constant of this shape, or a track of such; finite values within the condition's limit."""
    unit, limit = condition.asked, condition.limit
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        raise UsageError(f"{name} {value!r}: give {unit}, as numbers") from None
    frames = array.shape[: array.ndim - len(shape)]
    fits = len(frames) <= 1 and array.size > 0 and array.shape[len(frames) :] == shape
    if not fits or not (np.abs(array) <= limit).all():  # NaN is not below anything
        said = f"{name} {value:g}" if array.ndim == 0 else f"{name} {value}" if array.size < 9 else name
        raise UsageError(f"{said}: give {unit}, each from {-limit:g} to {limit:g}")


_DOC = """How to speak: `Controls(seed=1, gaze=(0.2, 0.0), emotion={"happiness": 0.6}, cfg_audio=1.0)`.

Beside the fields below, there is one for every condition of `vasa_jax.conditions` that can be told, and for the
guidance strength of each (lambda of the paper's eq. 4), cfg_NAME. What is told is a constant, or a track with a value
for every frame: a number or [t], as the distance; [n] or [t, n], as the gaze; name -> strength or [t], as the emotion.

Attributes:
  seed: same seed, same motion.
  steps: denoising steps a window.
  sampler: one of `diffusion.sampler.SAMPLERS`.
  hop: frames that a window of motion is used for; fewer follow tracks closer and cost more. None: by the model.
  blinks: one of `blinks.MODES`: "auto", "model" (as the motion model has them) or "off".
"""
if TYPE_CHECKING:

    class Controls(_Asked):
        """What static checkers see, which do not run `declare`."""

        __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

        def __init__(
            self, seed: int = 0, steps: int = 10, sampler: str = DEFAULT, hop: int | None = None, **told: Any
        ) -> None: ...

else:
    Controls = declare()
