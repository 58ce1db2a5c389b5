"""suite=asked: do photographs look where they are asked to, and show the emotion, as a face tracker reads the images.

Of each portrait images are painted at its own pose: its eyes asked aside, up and down; its head turned while the gaze
stays on the viewer; each emotion at full strength. What is read is the change from the image in which nothing is
asked for. `gain` is the share of the way that eyes go, `correlation` how well they obey. An emotion is `right` where
the tracker's scores (MediaPipe's blendshapes) of what belongs to it rise.
"""

import contextlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines.prepare import tracking
from experiments.evaluation import reading, tables
from vasa_jax.conditions import EMOTIONS
from vasa_jax.errors import InputError
from vasa_jax.inference import leading
from vasa_jax.ops import directions

ASIDE, UP = (-0.4, -0.2, 0.2, 0.4), (-0.25, -0.12, 0.12, 0.25)
TURNS = (-0.2, -0.1, 0.1, 0.2)
"""Gaze asked aside, and up or down, and yaw of the head that looks at the viewer, in radians: + turns the nose to the
image's left, and the eyes in it to the right by as much."""
PARTS = {
    "aside": (slice(1, 5), 0, ASIDE),
    "up": (slice(5, 9), 1, UP),
    "held": (slice(9, 13), 0, TURNS),
}
"""Part -> its images, the angle that counts, and what is asked of the eyes in the head."""
SIGNS = {
    "anger": ((1, 2), ()),
    "contempt": ((30, 31), (44, 45)),
    "disgust": ((1, 2, 30, 31), ()),
    "fear": ((3,), ()),
    "happiness": ((44, 45), ()),
    "sadness": ((3, 30, 31), ()),
    "surprise": ((3, 4, 5), ()),
}
"""Emotion -> blendshapes that rise, and that fall: brows down 1, 2; inner brows up 3; outer ones up 4, 5; corners of
the mouth down 30, 31; smile 44, 45."""
_OPEN = 0.6  # closure of lids up to which eyes are read
_SETTLED = 60  # frames after which eyes and expression have arrived
Images = UInt8[np.ndarray, "n h w 3"]


def suite(
    checkpoint: str, folder: str, count: int, face_model: str, sheet: Path | None, show_progress: Any = iter
) -> dict[str, Any]:
    """The report on stills of a folder, printed as well; `sheet` is where their images are kept, if at all."""
    from experiments.evaluation import filmstrip, stills
    from vasa_jax import TalkingFace

    face = TalkingFace.load(checkpoint)

    def paint(look: Any, motions: Float[np.ndarray, "n m"]) -> Images:
        return np.stack(list(face.renderer.frames(look.latents, motions.astype(np.float32), look.large, look.size)))

    with contextlib.closing(tracking.MediaPipeTracker(face_model)) as tracker:
        portraits = show_progress(stills.find_stills(folder, count))
        report, sheets = run(lambda still: face.look(still.path), paint, face.courses, tracker, portraits)
    show(report)
    if sheet is not None:
        filmstrip.save(sheet, [np.concatenate(list(images[:, ::2, ::2]), 1) for images in sheets])
        report["sheet"] = sheet.name
    return {"model": checkpoint, **report}


def motions(look: Any, courses: leading.Courses) -> Float[np.ndarray, "n m"]:
    """The motion of the images, the first of which is the portrait's own."""
    gazes = [(0.0, 0.0), *((theta, 0.0) for theta in ASIDE), *((0.0, phi) for phi in UP)]
    nobody = np.zeros(len(EMOTIONS))
    made = [_arrived(look, courses, look.home[:3], gaze, nobody) for gaze in gazes]
    for yaw in TURNS:
        head = directions.compose(look.home[:3], np.asarray([0, yaw, 0]))
        made.append(_arrived(look, courses, head, (0.0, 0.0), nobody))
    for name in SIGNS:
        feeling = np.asarray([float(other == name) for other in EMOTIONS])
        made.append(_arrived(look, courses, look.home[:3], (0.0, 0.0), feeling))
    return np.stack(made)


def _arrived(look, courses, rotation, gaze, emotion) -> Float[np.ndarray, " m"]:
    motion = np.concatenate([look.home, look.code])
    motion[:3] = rotation
    performance = leading.Leading(courses, look.home, glances=False)
    for _ in range(_SETTLED):
        shown = performance.frame(motion, np.asarray(gaze), emotion)
    return shown


def run(
    look_at: Callable[[Any], Any],
    paint: Callable[[Any, Float[np.ndarray, "n m"]], Images],
    courses: leading.Courses | None,
    tracker: tracking.FaceTracker,
    portraits: Iterable[Any],
) -> tuple[dict[str, Any], list[Images]]:
    """The report, and the images of each portrait.

    Args:
      look_at: portrait -> `inference.look.Look`.
      paint: (look, motions) -> images.
      courses: how codes change as gaze and expression are led; None: the model has no such.
      tracker: with blendshapes.
      portraits: whatever `look_at` takes, with a `name`.

    Raises:
      InputError: the model leads nothing; no portrait can be read.
    """
    if courses is None:
        raise InputError("this release leads neither gaze nor expression: motion_stats lacks them (vasa-export --lead)")
    rows, sheets = [], []
    for portrait in portraits:
        look = look_at(portrait)
        images = paint(look, motions(look, courses))
        sheets.append(images)
        track = tracker.track(portrait.name, list(images))
        if track.valid[0]:
            rows.append({"name": portrait.name} | _read(track, images.shape[1]))
    if not rows:
        raise InputError("the tracker reads no portrait; give others")
    return summary(rows), sheets


def _read(track: tracking.Track, size: int) -> dict[str, Any]:
    """How far eyes turned [n, 2] and scores rose, per emotion; NaN where a face or its eyes are not seen."""
    found = reading.read_track(track, size)
    seen = found.valid & (found.lids.mean(-1) < _OPEN) & (found.lids[0].mean() < _OPEN)
    scores = np.where(found.valid[:, None], track.blendshapes, np.nan)
    rises = {}
    for at, (name, (up, down)) in enumerate(SIGNS.items(), start=PARTS["held"][0].stop):
        change = scores[at] - scores[0]
        rises[name] = float(np.mean([*change[list(up)], *-change[list(down)]]))
    return {"eyes": np.where(seen[:, None], found.eyes - found.eyes[0], np.nan).tolist(), "emotions": rises}


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What all portraits say together, and each."""
    eyes = np.asarray([row["eyes"] for row in rows])
    gaze = {name: _agreement(eyes, name) for name in PARTS}
    emotions = {}
    for name in SIGNS:
        rises = np.asarray([row["emotions"][name] for row in rows])
        known = rises[np.isfinite(rises)]
        emotions[name] = {"rise": float(known.mean()), "right": float((known > 0).mean())}
    return {"portraits": len(rows), **gaze, "emotions": emotions, "each": list(rows)}


def _agreement(eyes: Float[np.ndarray, "p n 2"], name: str) -> dict[str, float]:
    where, axis, wanted = PARTS[name]
    read = eyes[:, where, axis]
    asked = np.broadcast_to(np.asarray(wanted), read.shape)
    known = np.isfinite(read)
    a, b = asked[known], read[known]
    gain = float((a * b).sum() / np.square(a).sum())
    error = np.degrees(np.sqrt(np.mean(np.square(b - a))))
    return {"correlation": float(np.corrcoef(a, b)[0, 1]), "gain": gain, "error_degrees": float(error)}


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    names = {"aside": "asked aside", "up": "asked up and down", "held": "on the viewer while the head turns"}
    keys = ("correlation", "gain", "error_degrees")
    lines = [[said, *(tables.cell(report[name][k], 2) for k in keys)] for name, said in names.items()]
    tables.show(f"eyes of {report['portraits']} photographs", ["", "correlation", "gain", "error (degrees)"], lines)
    lines = [[name, tables.cell(x["rise"], 3), tables.cell(x["right"], 2)] for name, x in report["emotions"].items()]
    tables.show("emotions asked for", ["", "scores rise by", "right in"], lines)
