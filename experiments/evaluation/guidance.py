"""suite=guidance: the paper's Table 5 as an experiment: guidance scales of audio and gaze, and 10 steps for 50.

Its columns need networks that this project does not have (SyncNet, FVD); in their place stand the same questions asked
of the latents: does the mouth follow the audio, how much does the head move, do gaze and distance arrive where they
were asked for. What counts is which of the paper's trends appear, not the numbers.
"""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.evaluation import tables
from experiments.evaluation.windows import Windows
from vasa_jax.metrics import angles, bootstrap, motion_statistics, mouth_changes

ROWS = ((0, 0, 50), (0, 1, 50), (0, 2, 50), (0.5, 1, 50), (1, 1, 50), (2, 1, 50), (0.5, 1, 10))
"""Guidance by audio, by gaze, and steps: the rows of the paper's table, in its order."""
_COLUMNS = ("mouth_changes", "mouth_changes_wrong", "mouth_amplitude", "head_degrees", "gaze_degrees", "log_scale")
_MOVEMENT = ("rotation", "dynamics", "within_0.8_to_1.1")


@dataclasses.dataclass(frozen=True)
class Table:
    """Scores of rows of windows that were made with one set of scales.

    Attributes:
      face: reads labels off the dynamics (`models.FaceModel`).
      windows: what is generated for.
      batch: the labels of the windows.
      speech: windows of real speakers, whose mouths are scored; the rest are procedural and know gaze and distance.
      distance: mean and standard deviation of the logarithm of the scale, that the distance is told in.
    """

    face: Any
    windows: Windows
    batch: dict[str, np.ndarray]
    speech: np.ndarray
    distance: tuple[float, float]

    def score(self, motion: Float[np.ndarray, "b w m"]) -> dict[str, Any]:
        """One row of the table: mean and interval over the windows of each number."""
        rows = [self._one(k, raw) for k, raw in enumerate(self.windows.raw(motion))]
        return {name: bootstrap.mean_interval([row.get(name, np.nan) for row in rows]) for name in _COLUMNS}

    def movement(self, motion: Float[np.ndarray, "b w m"]) -> dict[str, Any]:
        """How much the windows move over the real ones, by kind of window; kinds of one window are left out."""
        made, real = self._moving(motion), self._moving(self.windows.real)
        return {kind: motion_statistics.movement_summary(made[kind], real[kind]) for kind in made}

    def movement_of_halves(self) -> dict[str, Any]:
        """The same of every other real window over the rest: what this many windows tell of a perfect model."""
        kinds = self._moving(self.windows.real)
        return {kind: motion_statistics.movement_summary(real[::2], real[1::2]) for kind, real in kinds.items()}

    def _moving(self, motion: Float[np.ndarray, "b w m"]) -> dict[str, list[np.ndarray]]:
        raw = self.windows.raw(motion)
        kinds = {"speech": np.flatnonzero(self.speech), "heads": np.flatnonzero(~self.speech)}
        return {
            kind: [raw[k][self.windows.valid[k]] for k in chosen] for kind, chosen in kinds.items() if len(chosen) > 1
        }

    def _one(self, k: int, raw: Float[np.ndarray, "w m"]) -> dict[str, float]:
        turned = angles.rotation_error(raw[1:, :3], raw[:-1, :3]).mean()
        found = {"head_degrees": float(turned)}
        read, start = self.face.labels(raw), self.windows.config.context
        if self.speech[k]:
            opening, real = read["mouth"][:, 0], self.batch["mouth"][:, start:, 0]
            others = [j for j in np.flatnonzero(self.speech) if j != k]
            other = others[k % len(others)] if others else k
            found["mouth_changes"] = mouth_changes.change_correlation(opening, real[k])
            found["mouth_changes_wrong"] = mouth_changes.change_correlation(opening, real[other])
            found["mouth_amplitude"] = mouth_changes.change_amplitude(opening, real[k])
        else:
            gaze = angles.mean_gaze(angles.camera_gaze(read["eyes"], raw[:, :3]))
            asked = self.batch["distance"][k] * self.distance[1] + self.distance[0]
            found["gaze_degrees"] = float(angles.gaze_error(gaze, self.batch["gaze"][k]))
            found["log_scale"] = float(abs(np.log(np.maximum(raw[:, 6], 1e-3)).mean() - asked))
        return found

    def run(self, rows: tuple = ROWS, method: str = "ddim") -> dict[str, Any]:
        """All rows, and that of the real motion."""
        report = {"windows": len(self.speech), "of_speech": int(self.speech.sum()), "sampler": method, "rows": []}
        for audio, gaze, steps in rows:
            made = self.windows.solve(method, steps, {"audio": audio, "gaze": gaze})
            found = self.score(made) | {"movement": self.movement(made)}
            report["rows"].append({"audio": audio, "gaze": gaze, "steps": steps, **found})
        report["real"] = self.score(self.windows.real) | {"movement": self.movement_of_halves()}
        return report


def show(report: dict[str, Any]) -> None:
    """Prints the table."""
    named = [(f"{r['audio']:g}, {r['gaze']:g}, {r['steps']}", r) for r in report["rows"]]
    named.append(("real, encoded", report["real"]))
    lines = [[name, *(tables.cell(row[column]["mean"]) for column in _COLUMNS)] for name, row in named]
    tables.show(f"guidance ({report['windows']} windows)", ["audio, gaze, steps", *_COLUMNS], lines)
    for kind in report["real"]["movement"]:
        lines = [[name, *(tables.cell(row["movement"][kind][c], 2) for c in _MOVEMENT)] for name, row in named]
        lines[-1][0] = "real, half over half"
        tables.show(f"movement of {kind} over the real windows'", ["audio, gaze, steps", *_MOVEMENT], lines)
