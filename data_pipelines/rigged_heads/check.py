"""Does a tracker see in the images of rigged heads what their labels say?

    python -m data_pipelines.rigged_heads.check --heads=VALID --face_model=face_landmarker_v2_with_blendshapes.task

Draws a few moments of every nth head, reads them with the MediaPipe face landmarker as real videos are read, and prints
how the tracker's mouth, lids, gaze, pose and points go with the labels. `--sheet` keeps the images, points drawn in.
"""

import json
import platform
import sys
from typing import Any

import numpy as np
from absl import app, flags
from PIL import Image

from data_pipelines import schema
from data_pipelines.prepare import labels, tracking
from data_pipelines.rigged_heads import acting, clip, readers
from data_pipelines.synthetic import voice
from vasa_jax import files, landmarks
from vasa_jax.errors import UserError

_JAW_OPEN, _BLINKS = 25, [10, 9]  # among MediaPipe's blendshapes; eyeBlinkRight is the image's left
_TAKE = 60

_HEADS = flags.DEFINE_string("heads", None, "Folder of the heads.", required=True)
_FACE_MODEL = flags.DEFINE_string("face_model", None, "MediaPipe face landmarker with blendshapes.", required=True)
_EVERY = flags.DEFINE_integer("every", 5, "Every how many-th head is drawn.", lower_bound=1)
_FRAMES = flags.DEFINE_integer("frames", 10, "Moments of each head.", lower_bound=2, upper_bound=_TAKE)
_SIZE = flags.DEFINE_integer("size", 320, "Pixels of an image's side.", lower_bound=64)
_REPORT = flags.DEFINE_string("report", None, "Where to write the result as JSON.")
_SHEET = flags.DEFINE_string("sheet", None, "Where to write the images as one, a head a row, the points drawn in.")


def moments(person: clip.Figure, seed: int, count: int, size: int) -> dict[str, Any]:
    """Pictures and labels of `count` moments of a head, spread over a performance, as `clip.draw` returns them."""
    rng = np.random.default_rng([seed, 7801])
    speaker = voice.sample_speaker(seed)
    speech = voice.synthesise(voice.babble(rng, _TAKE / schema.FRAME_RATE, speaker.rate), speaker, seed=seed)
    take = acting.perform(speech, _TAKE, rng)
    return clip.draw(person, take, list(np.linspace(0, _TAKE - 1, count).astype(int)), size, rng)


def read(drawn: dict[str, Any], tracker: tracking.FaceTracker, name: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """The labels that a tracked video would get, and the blendshapes."""
    track = tracker.track(name, drawn["frames"])
    size = drawn["frames"].shape[1]
    points = landmarks.from_mediapipe(track.points) / size * (2 * schema.MARGIN)
    points[..., :2] -= schema.MARGIN
    return labels.label_frames(points.astype(np.float32), track.valid, track.blendshapes), track.blendshapes


def compare(pairs: list[tuple[dict, dict, np.ndarray]]) -> dict[str, Any]:
    """How labels and readings of several heads agree: correlations of changes within a head, and distances.

    Args:
      pairs: (drawn, read, blendshapes) of each head.
    """

    def column(of: int, name: str, k: int) -> np.ndarray:
        rows = [pair[of][name][pair[1]["valid"], k] for pair in pairs]
        return np.concatenate([row - row.mean() for row in rows])

    def shapes(at: int) -> np.ndarray:
        return np.concatenate([p[2][p[1]["valid"], at] - p[2][p[1]["valid"], at].mean() for p in pairs])

    def together(a: np.ndarray, b: np.ndarray) -> float:
        return round(float(np.corrcoef(a, b)[0, 1]), 3)

    named = {"mouth_opening": ("mouth", 0), "lid_left": ("lids", 0), "lid_right": ("lids", 1), "gaze_side": ("eyes", 0),
             "gaze_up": ("eyes", 1), "pitch": ("pose", 0), "yaw": ("pose", 1), "roll": ("pose", 2)}  # fmt: skip
    out = {name: together(column(0, *at), column(1, *at)) for name, at in named.items()}
    out["mouth_opening_and_jawOpen"] = together(column(0, "mouth", 0), shapes(_JAW_OPEN))
    for side, k in (("left", 0), ("right", 1)):
        out[f"lid_{side}_and_eyeBlink"] = together(column(0, "lids", k), shapes(_BLINKS[k]))
    away = [
        np.linalg.norm((d["landmarks"] - r["landmarks"])[r["valid"], :, :2], axis=-1)
        / landmarks.face_height(d["landmarks"])[r["valid"], None]
        for d, r, _ in pairs
    ]
    away = np.concatenate(away)
    distances = {name: round(float(np.median(away[:, at])), 4) for name, at in landmarks.SLICES.items()}
    spread = {name: round(float(column(of, "mouth", 0).std()), 4) for of, name in enumerate(("drawn", "read"))}
    found = np.concatenate([r["valid"] for _, r, _ in pairs])
    return {"pictures": len(found), "found": int(found.sum()), "correlation": out, "std_of_mouth_opening": spread,
            "median_distance_as_share_of_face_height": distances}  # fmt: skip


def sheet(pairs: list[tuple[dict, dict, np.ndarray]]) -> Image.Image:
    """A head a row; upper rows plain, below them with the labels' points in green and the tracker's in red."""
    rows = []
    for drawn, seen, _ in pairs:
        marked = drawn["frames"].copy()
        size = marked.shape[1]
        for marks, colour in ((drawn["landmarks"], (0, 255, 0)), (seen["landmarks"], (255, 0, 0))):
            at = ((marks[..., :2] / schema.MARGIN + 1) * size / 2).astype(int)
            frame = np.broadcast_to(np.arange(len(marked))[:, None], at.shape[:2])
            inside = ((at >= 0) & (at < size)).all(-1)
            marked[frame[inside], at[inside][:, 1], at[inside][:, 0]] = colour
        rows += [np.concatenate(list(drawn["frames"]), 1), np.concatenate(list(marked), 1)]
    return Image.fromarray(np.concatenate(rows))


def _run() -> None:
    paths = list(readers.find(_HEADS.value).values())[:: _EVERY.value]
    tracker, pairs = tracking.MediaPipeTracker(_FACE_MODEL.value), []
    for seed, path in enumerate(paths):
        drawn = moments(clip.figure(path), seed, _FRAMES.value, _SIZE.value)
        pairs.append((drawn, *read(drawn, tracker, path.stem)))
    tracker.close()
    report = {"heads": [path.stem for path in paths], "size": _SIZE.value, "machine": platform.machine()}
    report |= compare(pairs)
    print(json.dumps(report, indent=1))
    if _REPORT.value:
        files.write_json(_REPORT.value, report)
    if _SHEET.value:
        sheet(pairs).save(_SHEET.value)


def main(argv: list[str]) -> None:
    if len(argv) > 1:
        raise app.UsageError(f"unexpected argument {argv[1]}")
    try:
        _run()
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    app.run(main)
