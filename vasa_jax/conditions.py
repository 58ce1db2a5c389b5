"""Everything that a motion model can be told, declared once: model, task, guidance, controls, flags, tracks, latents
cache and docs/conditions.md read this table.

    Condition("age", parts=("age",), unit="decades from 40", limit=3.0, guides="How strongly --age is followed.", ...)

Nothing heavy is imported here: commands read the table before they know whether they have anything to do.
"""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from vasa_jax.errors import UsageError

EMOTIONS = ("anger", "contempt", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
"""HSEmotion order."""


@dataclasses.dataclass(frozen=True)
class Condition:
    """One condition. What has `parts` is told: a token of its own, null where nobody knows it. Audio and the previous
    window have none: they are the frames themselves, and their networks are in `models.motion_transformer`.

    Attributes:
      name: of the field in a batch, of the control, and of the flag; cfg_NAME is its guidance.
      says: what it says, in half a line.
      guides: help of the flag cfg_NAME.
      guidance: lambda of the paper's eq. 4, by default.
      drop: probability that training puts the learned null embedding in its place, by default.
      parts: names of its values. One value is a number, several are an array.
      named: they are asked for by their names ("happiness:0.6"), each 0 unless it is named.
      unit: of the values, as messages say it.
      limit: of what may be asked, either way.
      example: of what the flag takes.
      standardised: told in standard deviations about the mean of the data.
      gain: what the network multiplies values by, so that they are of about one.
      turns: they are a direction in camera coordinates, such as gaze. If the head is rotated after sampling, the model
        is given the direction that this rotation turns into the one asked for.
      rest: the part that is what the others leave of 1, to models with `neutral_is_rest`.
      source: name of the label of the data (`data_pipelines.schema.PER_FRAME`), or what makes values [t] or [t, parts]
        of a clip's labels; by default the label of the same name.
    """

    name: str
    says: str
    guides: str
    guidance: float = 0.0
    drop: float = 0.1
    parts: tuple[str, ...] = ()
    named: bool = False
    unit: str = ""
    limit: float = 1.0
    example: str = "0"
    standardised: bool = False
    gain: float = 1.0
    turns: bool = False
    rest: str = ""
    source: str | Callable[[Mapping[str, Any]], Any] = ""

    @property
    def told(self) -> bool:
        """Whether it is a value that somebody tells."""
        return bool(self.parts)

    @property
    def width(self) -> int:
        """Values of a frame."""
        return len(self.parts)

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one value: a single number has no axis."""
        return () if self.width == 1 else (self.width,)

    @property
    def nothing(self) -> Any:
        """The control of somebody who asks for nothing: 0, or zeros, or no names."""
        return {} if self.named else 0.0 if self.width == 1 else (0.0,) * self.width

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of its columns in a track."""
        if self.named:
            return self.parts
        return (self.name,) if self.width == 1 else tuple(f"{self.name}_{part}" for part in self.parts)

    @property
    def asked(self) -> str:
        """What to give, as messages say it."""
        return self.unit if self.named or self.width == 1 else f"{','.join(self.parts)} in {self.unit}"

    @property
    def form(self) -> str:
        """What its flag takes, as --help says it."""
        return f"name:strength[,name:strength], for instance {self.example}" if self.named else self.asked

    def of_labels(self, labels: Mapping[str, Any]) -> Any:
        """Its values [t] or [t, width] from the labels of a clip."""
        return self.source(labels) if callable(self.source) else labels[self.source or self.name]

    def parse(self, text: str) -> Any:
        """What its flag says: "0.2,-0.1" -> (0.2, -0.1); "happiness:0.6,fear" -> {"happiness": 0.6, "fear": 1.0}.

        Of a single number the flag is a float, and nothing is parsed.

        Raises:
          UsageError: it is not of that form.
        """
        wrong = f"--{self.name}={text}: give "
        if not self.named:
            try:
                values = tuple(float(part) for part in text.split(","))
            except ValueError:
                values = ()
            if len(values) != self.width:
                count = "two" if self.width == 2 else self.width
                raise UsageError(f"{wrong}{count} numbers {self.asked}, for instance {self.example}")
            return values
        named = {}
        for part in filter(None, (part.strip() for part in text.split(","))):
            name, colon, value = part.partition(":")
            try:
                named[name.strip()] = float(value) if colon else 1.0
            except ValueError:
                raise UsageError(f"{wrong}name:strength, for instance {self.example}") from None
        return named

    def check_part(self, name: str) -> None:
        """Raises UsageError where nothing of this name can be asked for, with the nearest that can."""
        if name not in self.parts:
            near = difflib.get_close_matches(name.lower(), self.parts, 1, 0.5)
            hint = f"did you mean {near[0]}?" if near else f"one of {', '.join(self.parts)}"
            raise UsageError(f"{self.name} {name!r} is unknown: {hint}")


CONDITIONS: tuple[Condition, ...] = (
    Condition(
        "audio",
        says="the speech, four steps a frame of a log-mel spectrogram, or features of a pretrained model",
        guides="How strongly the speech guides the motion.",
        guidance=0.5,
    ),
    Condition(
        "gaze",
        says="main gaze in the camera's frame: + to the image's right and up; 0,0 looks into the camera",
        guides="How strongly --gaze is followed.",
        guidance=1.0,
        parts=("theta", "phi"),
        unit="radians",
        example="0.2,-0.1",
        gain=5.0,  # the eyes move within some 0.4 rad
        turns=True,
    ),
    Condition(
        "distance",
        says="how near the head is, + is nearer",
        guides="How strongly --distance guides beyond being told.",
        parts=("distance",),
        unit="standard deviations",
        limit=5.0,
        example="1",
        standardised=True,
    ),
    Condition(
        "emotion",
        says="offsets to what the speech implies",
        guides="How strongly --emotion guides beyond being told.",
        parts=EMOTIONS,
        named=True,
        unit="a strength",
        example="happiness:0.6",
        rest="neutral",
    ),
    Condition(
        "previous",
        says="the motion of the frames before the window, and their audio",
        guides="How strongly a window keeps to the one before it.",
        drop=0.5,
    ),
)
"""New ones come at the end: the order is that of the learned nulls in released weights. `MotionConfig.conditions` says
which of those that are told a model knows."""

PAPER = ("gaze", "distance", "emotion")
"""What the paper's model is told, and every model whose configuration does not say."""


def get(name: str) -> Condition:
    """The condition of this name; KeyError without one."""
    return {condition.name: condition for condition in CONDITIONS}[name]


def told(names: Iterable[str] | None = None) -> tuple[Condition, ...]:
    """Those that are told, in the table's order; of `names`, or all of them.

    Raises:
      ValueError: one of the names is not told, or unknown.
    """
    known = tuple(condition for condition in CONDITIONS if condition.told)
    if names is None:
        return known
    if unknown := sorted(set(names) - {condition.name for condition in known}):
        there = ", ".join(condition.name for condition in known)
        raise ValueError(f"no condition that is told is called {unknown[0]!r}; there are {there}")
    return tuple(condition for condition in known if condition.name in names)


def of_model(names: Iterable[str]) -> tuple[str, ...]:
    """Names of all conditions of a model that is told `names`, audio and the previous window among them."""
    kept = {condition.name for condition in told(names)}
    return tuple(condition.name for condition in CONDITIONS if not condition.told or condition.name in kept)


def default_guidance(names: Iterable[str] | None = None) -> dict[str, float]:
    """Condition -> lambda, of those that guide unless somebody says otherwise; of `names`, or all of them."""
    kept = {condition.name for condition in CONDITIONS} if names is None else set(names)
    return {one.name: one.guidance for one in CONDITIONS if one.guidance and one.name in kept}


def known_guidance(scales: Mapping[str, float], names: Iterable[str]) -> dict[str, float]:
    """Those of the lambdas that are not 0 and whose condition a model knows, whose conditions are `names`.

    Raises:
      UsageError: there is no condition of such a name at all.
    """
    every = [condition.name for condition in CONDITIONS]
    if unknown := sorted(scales.keys() - set(every)):
        raise UsageError(f"no condition is called {unknown[0]!r}; there are {', '.join(every)}")
    return {name: value for name, value in scales.items() if value and name in names}


def split(names: Iterable[str]) -> dict[str, slice]:
    """Where each of the told conditions lies in their values side by side, as tracks and caches have them."""
    places, at = {}, 0
    for condition in told(names):
        places[condition.name] = slice(at, at + condition.width)
        at += condition.width
    return places


def width(names: Iterable[str]) -> int:
    """Values of the told conditions side by side."""
    return sum(condition.width for condition in told(names))


def markdown() -> str:
    """The table of docs/conditions.md."""
    head = ("condition", "what it says", "values", "asked for", "in the data", "guidance", "dropped in training")
    rows = [head, ("---",) * len(head)]
    for c in CONDITIONS:
        values = "frames" if not c.told else str(c.width) + (" (" + ", ".join(c.parts) + ")" if c.width > 1 else "")
        how = f"`--{c.name}={c.example}`: {c.unit}, {-c.limit:g} to {c.limit:g}" if c.told else ""
        label = "" if not c.told else "from other labels" if callable(c.source) else f"`{c.source or c.name}`"
        label += ", standardised" if c.standardised else f", times {c.gain:g}" if c.gain != 1 else ""
        rows.append((f"`{c.name}`", c.says, values, how, label, f"{c.guidance:g}", f"{c.drop:g}"))
    return "\n".join(f"| {' | '.join(row)} |" for row in rows) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
