"""Which tracker to make, in words that can be sent to other processes and compared from run to run."""

import dataclasses
import os
import pathlib

from data_pipelines.prepare import boxes, tracking
from vasa_jax.errors import UsageError


@dataclasses.dataclass(frozen=True)
class Spec:
    """Which tracker to make: what is sent to the processes that make one each.

    Attributes:
      face_model: a MediaPipe .task file, or None.
      landmarks: a folder of tracks, read and, beside a face model, filled; or None.
      boxes: True finds boxes only, without any file (`data_pipelines.prepare.boxes`).
    """

    face_model: str | None = None
    landmarks: str | None = None
    boxes: bool = False

    def make(self) -> tracking.FaceTracker:
        """Raises InputError if the files are not there or of no use."""
        if self.boxes:
            return boxes.BoxTracker()
        if self.face_model:
            tracker = tracking.MediaPipeTracker(self.face_model)
            return tracking.SavingTracker(tracker, self.landmarks) if self.landmarks else tracker
        if self.landmarks:
            return tracking.LandmarksFolder(self.landmarks)
        raise UsageError(
            "give --face_model=face_landmarker.task to track faces, or --landmarks=FOLDER of tracks made before;"
            " --face_backend=boxes needs neither, and gives crops without labels"
        )

    def describe(self) -> str:
        """What the labels come from, for the report."""
        if self.boxes:
            return boxes.NOTE
        return "the MediaPipe face landmarker" if self.face_model else "tracks made before"

    def state(self, clip_id: str) -> str:
        """What a clip's track depends on, in words: another answer, another track."""
        if self.boxes:
            return "boxes"
        if self.landmarks and not self.face_model:
            path = pathlib.Path(self.landmarks) / f"{clip_id}.npz"
            return f"track {_stamp(path)}"
        return f"model {pathlib.Path(self.face_model or '').name} {_stamp(self.face_model or '')}"


def _stamp(path: str | os.PathLike) -> tuple[int, int] | None:
    try:
        stat = os.stat(path)
    except OSError:
        return None
    return stat.st_size, stat.st_mtime_ns
