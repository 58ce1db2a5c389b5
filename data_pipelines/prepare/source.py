"""What goes into the preparation of a data set and what comes out: stretches of video, or photographs; and clips."""

import dataclasses
import pathlib
from typing import Any


@dataclasses.dataclass(frozen=True)
class Source:
    """A stretch of a video file that may show a talking head, and what its data set knows of it.

    Or one person's photographs (`data_pipelines.prepare.stills`): `path` is the first of them.

    Attributes:
      path: the video, or a photograph.
      name: unique in the data set and fit for a file name, for instance "s1_bbaf2n"; clips are named after it.
      speaker: who speaks; splits never share a speaker unless the data set says so.
      split: "train", "validation", "test" or one of the data set's own.
      start, end: seconds of the file; None is its end.
      box: (left, top, right, bottom) of the face as shares of the image, where the data set gives one; it chooses
        among several people.
      audio: the file that holds the audio, where that is not `path`. Both files begin at the same moment, so `start`
        and `end` hold for both.
      emotion: what the data set says is shown throughout, a name of `data_pipelines.schema.EMOTIONS`; None: not said.
      intensity: how strongly, 0..1. The clips' coefficients become `intensity` for `emotion` and the rest for neutral.
      further: more photographs of the person, where `path` is one.
    """

    path: pathlib.Path
    name: str
    speaker: str
    split: str = "train"
    start: float = 0.0
    end: float | None = None
    box: tuple[float, float, float, float] | None = None
    audio: pathlib.Path | None = None
    emotion: str | None = None
    intensity: float = 1.0
    further: tuple[pathlib.Path, ...] = ()


@dataclasses.dataclass(frozen=True)
class Dropped:
    """A clip that is left out, or a file of which nothing could be used: `clip` names it."""

    clip: str
    reason: str


@dataclasses.dataclass
class Processed:
    """All that became of one source.

    Attributes:
      examples: clips, as `data_pipelines.schema.make_example` returns them.
      dropped: what was left out, and why.
      measured: clip id -> numbers for the report (blur, jitter, offset, ...), of kept and dropped clips.
      thumbnails: clip id -> JPEG of what was dropped, so that the report can show it.
    """

    examples: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    dropped: list[Dropped] = dataclasses.field(default_factory=list)
    measured: dict[str, dict[str, float]] = dataclasses.field(default_factory=dict)
    thumbnails: dict[str, bytes] = dataclasses.field(default_factory=dict)
