"""suite=synthetic: against exact truth, on procedural heads of held-out identities.

The face model: labels and head pose that it reads off real images. The motion model: whether generated motion looks
and stands where it is asked to, with the condition and without it, and moves its mouth as the truth does.
"""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float

from data_pipelines.clips import LatentSplit
from experiments.evaluation import tables
from experiments.evaluation.data import HeldOut, HeldOutClip
from vasa_jax.errors import InputError
from vasa_jax.metrics import angles, mouth_changes

LABELS = ("mouth", "lids", "eyes")
_FACE = ("mouth_opening", "mouth_rounding", "lids", "eyes_degrees", "gaze_degrees", "pose_degrees", "place",
         "log_scale", "mouth_changes")  # fmt: skip
_GUESS = ("mouth_opening_guess", "mouth_rounding_guess", "lids_guess", "gaze_degrees_guess", "pose_degrees_guess")
_MOTION = ("gaze_degrees", "log_scale", "mouth_opening", "mouth_changes")
WITHOUT = -1.0
"""The guidance strength that leaves only the prediction without the condition: (1 - 1) H(C) + H(C | c = null)."""


@dataclasses.dataclass(frozen=True)
class DistanceScale:
    """What the distance condition is standardised with: log scale of the head over the training split."""

    mean: float
    std: float

    @classmethod
    def find(cls, data_dir: str, name: str, train: HeldOut) -> "DistanceScale":
        """From the latents cache that the motion model learned from, or, without one, from the data set's labels."""
        try:
            arrays = LatentSplit(Path(data_dir) / "latents" / f"{name}.npz", train.split).arrays
            return cls(float(arrays["distance_mean"]), float(arrays["distance_std"]))
        except (InputError, KeyError):
            values = np.concatenate([clip.labels["distance"][clip.labels["valid"]] for clip in train.tracks()])
            return cls(float(values.mean()), max(float(values.std()), 1e-4))


@dataclasses.dataclass(frozen=True)
class SyntheticSuite:
    """The face model, and the motion model (`MotionGenerator`) with the scale of its distance condition, or None."""

    face: Any
    motion: Any = None
    distance: DistanceScale | None = None
    seed: int = 0
    steps: int = 10

    def run(self, split: HeldOut, chosen: Sequence[int], show_progress: Any = iter) -> dict[str, Any]:
        """Scores the chosen clips."""
        rows = []
        for index in show_progress(chosen):
            clip = split.clip(index)
            row = {"clip": clip.clip_id, "speaker": clip.speaker, "frames": len(clip), "face": self.read(clip)}
            if self.motion is not None:
                row |= {"with": self.speak(clip, True), "without": self.speak(clip, False)}
            rows.append(row)
        report = {"n": len(rows), "face": tables.summarise([row["face"] for row in rows], _FACE + _GUESS)}
        for kind in ("with", "without"):
            if self.motion is not None:
                report[f"motion_{kind}_conditions"] = tables.summarise([row[kind] for row in rows], _MOTION)
        report["clips"] = rows
        return report

    def read(self, clip: HeldOutClip) -> dict[str, float]:
        """Errors of what the face model reads off the images; *_guess: of always saying the clip's median."""
        motion = self.face.motion(clip.images)
        truth = clip.labels
        errors = _label_errors(self.face.labels(motion), motion, truth)
        pose = truth["pose"]
        errors |= {
            "place": float(np.abs(motion[:, 3:5] - pose[:, 3:5]).mean()),
            "log_scale": float(np.abs(np.log(np.maximum(motion[:, 6], 1e-3) / pose[:, 6])).mean()),
        }
        still = {name: np.broadcast_to(np.median(truth[name], 0), truth[name].shape) for name in (*LABELS, "pose")}
        guess = _label_errors(still, still["pose"], truth)
        return errors | {name: guess[name.removesuffix("_guess")] for name in _GUESS}

    def speak(self, clip: HeldOutClip, conditioned: bool) -> dict[str, float]:
        """Errors of the motion generated for the clip's audio, told its mean gaze and distance, or told neither.

        Gaze and distance are errors of the clip's mean, the mouth's are those of each frame.
        """
        truth = clip.labels
        gaze, level = angles.mean_gaze(truth["gaze"]), float(truth["distance"].mean())
        distance = (level - self.distance.mean) / self.distance.std
        looking = self._generate(clip, gaze, distance, None if conditioned else "gaze")
        standing = looking if conditioned else self._generate(clip, gaze, distance, "distance")
        read = self.face.labels(looking)
        mean_gaze = angles.mean_gaze(angles.camera_gaze(read["eyes"], looking[:, :3]))
        opening = read["mouth"][:, 0]
        return {
            "gaze_degrees": float(angles.gaze_error(mean_gaze, gaze)),
            "log_scale": float(abs(np.log(np.maximum(standing[:, 6], 1e-3)).mean() - level)),
            "mouth_opening": float(np.abs(opening - truth["mouth"][:, 0]).mean()),
            "mouth_changes": mouth_changes.change_correlation(opening, truth["mouth"][:, 0]),
        }

    def _generate(
        self, clip: HeldOutClip, gaze: np.ndarray, distance: float, dropped: str | None
    ) -> Float[np.ndarray, "t m"]:
        scales = {"audio": 0.5, "gaze": 1.0} if dropped is None else {dropped: WITHOUT}
        windows = self.motion.windows(
            iter([clip.audio]), len(clip), seed=self.seed, steps=self.steps, guidance=scales,
            gaze=tuple(gaze), distance=distance, emotion=clip.labels["emotion"].mean(0),
        )  # fmt: skip
        return np.concatenate(list(windows))


def _label_errors(read: dict[str, np.ndarray], motion: np.ndarray, truth: dict[str, np.ndarray]) -> dict[str, float]:
    """Mean absolute errors of labels and of the head's rotation; angles in degrees."""
    gaze = angles.camera_gaze(read["eyes"], motion[:, :3])
    seen = truth["lids"].mean(-1) < 0.5  # nobody sees where a closed eye looks

    def degrees(made: np.ndarray, real: np.ndarray) -> float:
        return float(angles.gaze_error(made, real)[seen].mean()) if seen.any() else float("nan")

    return {
        "mouth_opening": float(np.abs(read["mouth"][:, 0] - truth["mouth"][:, 0]).mean()),
        "mouth_rounding": float(np.abs(read["mouth"][:, 1] - truth["mouth"][:, 1]).mean()),
        "lids": float(np.abs(read["lids"] - truth["lids"]).mean()),
        "eyes_degrees": degrees(read["eyes"], truth["eyes"]),
        "gaze_degrees": degrees(gaze, truth["gaze"]),
        "pose_degrees": float(angles.rotation_error(motion[:, :3], truth["pose"][:, :3]).mean()),
        "mouth_changes": mouth_changes.change_correlation(read["mouth"][:, 0], truth["mouth"][:, 0]),
    }


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    face = report["face"]
    lines = [[n, tables.cell(face[n], 4), tables.cell(face.get(f"{n}_guess", {"mean": None}), 4)] for n in _FACE]
    tables.show(f"face model on procedural heads (n={report['n']})", ["error", "model", "clip's median"], lines)
    if "motion_with_conditions" in report:
        both = report["motion_with_conditions"], report["motion_without_conditions"]
        lines = [[n, *(tables.cell(part[n], 4) for part in both)] for n in _MOTION]
        tables.show("generated motion against the truth", ["error", "with condition", "without"], lines)
