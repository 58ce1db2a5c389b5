"""suite=gaze: do the eyes of photographs look where they are asked to, as a face tracker reads the pictures.

Of each portrait pictures are painted at its own pose with its eyes asked aside, up and down, and with its head turned
while the gaze stays on the viewer. What is read is the change of the eyes in the head from the picture in which nothing
is asked for: `gain` is the share of the way that they go, `correlation` how well they obey.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

import numpy as np
from jaxtyping import Float, UInt8

from experiments.evaluation import tables
from vasa_jax.errors import InputError
from vasa_jax.inference import looking
from vasa_jax.ops import directions

ASIDE, UP = (-0.4, -0.2, 0.2, 0.4), (-0.25, -0.12, 0.12, 0.25)
TURNS = (-0.2, -0.1, 0.1, 0.2)
"""Gaze asked aside, and up or down, and yaw of the head that looks at the viewer, in radians."""
_ASKED = ("aside", "up", "held")
_OPEN = 0.6  # closure of lids up to which eyes are read
Pictures = UInt8[np.ndarray, "n h w 3"]


class Reads(Protocol):
    """`reading.TrackReader`."""

    def read(self, pictures: Any) -> Any:
        """Valid frames, lids and eyes of pictures."""


def asked(home: Float[np.ndarray, " 7"]) -> tuple[Float[np.ndarray, "n 3"], Float[np.ndarray, "n 2"]]:
    """Rotations of the head and gazes in the camera's frame of the pictures: first of all nothing is asked for."""
    gazes = [(0.0, 0.0), *((theta, 0.0) for theta in ASIDE), *((0.0, phi) for phi in UP)]
    heads = [home[:3]] * len(gazes) + [directions.compose(home[:3], np.asarray([0, yaw, 0])) for yaw in TURNS]
    return np.asarray(heads), np.asarray([*gazes, *[(0.0, 0.0)] * len(TURNS)])


def motions(look: Any, course: Float[np.ndarray, "2 d"]) -> Float[np.ndarray, "n m"]:
    """The motion of the pictures: the portrait's own, its head and its eyes moved."""
    made = []
    for rotation, gaze in zip(*asked(look.home), strict=True):
        motion = np.concatenate([look.home, look.code])
        motion[:3] = rotation
        eyes = looking.Looking(course, look.home)
        for _ in range(int(np.ceil(looking.LIMIT.max() / looking.SPEED))):  # until they have arrived
            shown = eyes.frame(motion, gaze)
        made.append(shown)
    return np.stack(made)


def run(
    look_at: Callable[[Any], Any],
    paint: Callable[[Any, Float[np.ndarray, "n m"]], Pictures],
    course: Float[np.ndarray, "2 d"] | None,
    reader: Reads,
    portraits: Iterable[Any],
) -> tuple[dict[str, Any], list[Pictures]]:
    """The report, and the pictures of each portrait.

    Args:
      look_at: portrait -> `inference.look.Look`.
      paint: (look, motions) -> pictures.
      course: how codes change as eyes turn; None: the model has no such.
      reader: a face tracker.
      portraits: whatever `look_at` takes, with a `name`.

    Raises:
      InputError: the model does not lead eyes; no portrait can be read.
    """
    if course is None:
        raise InputError("this release does not lead its eyes: it has no motion_stats['gaze'] (vasa-export --gaze)")
    rows, sheets = [], []
    for portrait in portraits:
        look = look_at(portrait)
        pictures = paint(look, motions(look, course))
        found = reader.read(pictures)
        sheets.append(pictures)
        seen = np.asarray(found.valid) & (np.asarray(found.lids).mean(-1) < _OPEN)
        if seen[0]:
            turned = np.where(seen[:, None], np.asarray(found.eyes) - np.asarray(found.eyes)[0], np.nan)
            rows.append({"name": portrait.name, "eyes": turned.tolist()} | _scores(turned[None]))
    if not rows:
        raise InputError("the tracker reads no portrait; give others")
    return {"portraits": len(rows), **_pooled(rows), "each": rows}, sheets


def _pooled(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    worst = {f"{name}_least_gain": float(np.nanmin([row[name]["gain"] for row in rows])) for name in _ASKED}
    return _scores(np.asarray([row["eyes"] for row in rows])) | worst


def _scores(read: Float[np.ndarray, "p n 2"]) -> dict[str, Any]:
    return {name: _agreement(*_pairs(read, name)) for name in _ASKED}


def _pairs(read: Float[np.ndarray, "p n 2"], name: str) -> tuple[np.ndarray, np.ndarray]:
    """What is asked of the eyes in the head, and what is read; nothing asked is nothing read."""
    first = {"aside": 1, "up": 1 + len(ASIDE), "held": 1 + len(ASIDE) + len(UP)}[name]
    wanted = {"aside": ASIDE, "up": UP, "held": tuple(-yaw for yaw in TURNS)}[name]
    values = read[:, first : first + len(wanted), 1 if name == "up" else 0]
    return np.tile(wanted, len(read)), values.reshape(-1)


def _agreement(wanted: np.ndarray, read: np.ndarray) -> dict[str, float]:
    known = np.isfinite(read)
    if known.sum() < 3:
        return {"correlation": np.nan, "gain": np.nan, "error_degrees": np.nan}
    a, b = wanted[known], read[known]
    error = np.degrees(np.sqrt(np.mean(np.square(b - a))))
    gain = float((a * b).sum() / np.square(a).sum())
    return {"correlation": float(np.corrcoef(a, b)[0, 1]), "gain": gain, "error_degrees": float(error)}


def show(report: dict[str, Any]) -> None:
    """Prints the table."""
    names = {"aside": "asked aside", "up": "asked up and down", "held": "on the viewer while the head turns"}
    keys = ("correlation", "gain", "error_degrees")
    lines = [[said, *(tables.cell(report[name][k], 2) for k in keys)] for name, said in names.items()]
    tables.show(f"eyes of {report['portraits']} photographs", ["", "correlation", "gain", "error (degrees)"], lines)
