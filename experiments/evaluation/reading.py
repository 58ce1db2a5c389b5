"""What mouth and lids do in pictures: by a face tracker of the user's, or, failing that, by the model's own reading."""

import dataclasses
from typing import Protocol

import numpy as np
from jaxtyping import Bool, Float, UInt8

from data_pipelines.prepare import labels, tracking
from experiments.evaluation.models import FaceModel
from vasa_jax import landmarks


@dataclasses.dataclass(frozen=True)
class Reading:
    """Mouth opening (share of the face's height), lid closure 0..1, and where the face was found."""

    mouth: Float[np.ndarray, " t"]
    lids: Float[np.ndarray, "t 2"]
    valid: Bool[np.ndarray, " t"]

    def cut(self, start: int, stop: int) -> "Reading":
        """Frames start .. stop - 1."""
        return Reading(self.mouth[start:stop], self.lids[start:stop], self.valid[start:stop])


class Reader(Protocol):
    """Reads pictures [t, s, s, 3]; `real` names real ones, whose reading may be kept."""

    name: str

    def read(self, pictures: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """The reading of each picture."""

    def close(self) -> None:
        """Lets go of what the reader holds."""


class TrackReader:
    """478-point tracks of every picture by itself, enlarged first.

    Args:
      face_model: the landmarker's .task file.
      folder: where tracks of real pictures are kept for the next run; None keeps none.
    """

    name = "478-point tracks"

    def __init__(self, face_model: str, folder: str | None = None):
        self._tracker: tracking.FaceTracker = tracking.MediaPipeTracker(face_model)
        self._saving = tracking.SavingTracker(self._tracker, folder) if folder else self._tracker

    def read(self, pictures: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """See `Reader`."""
        tracker = self._tracker if real is None else self._saving
        return read_track(tracker.track(f"{real}_at{pictures.shape[1]}", pictures))

    def close(self) -> None:
        """Closes the tracker."""
        self._tracker.close()


class ModelReader:
    """The face model's own labels of the pictures: circular, since the model that drew them also reads them."""

    name = "the model's own reading (give --face_model for tracks)"

    def __init__(self, model: FaceModel):
        self._model = model

    def read(self, pictures: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """See `Reader`."""
        return read_motion(self._model, self._model.motion(pictures))

    def close(self) -> None:
        """Holds nothing."""


def read_motion(model: FaceModel, motion: Float[np.ndarray, "t m"]) -> Reading:
    """The reading of a motion's dynamics code, without any picture."""
    found = model.labels(motion)
    return Reading(found["mouth"][:, 0], np.clip(found["lids"], 0, 1), np.ones(len(motion), bool))


def read_track(track: tracking.Track) -> Reading:
    """Frames without a face are filled from their neighbours and marked; without any face all is zero."""
    if not track.valid.any():
        return Reading(np.zeros(len(track.valid)), np.zeros((len(track.valid), 2)), track.valid)
    points = labels.fill_gaps(landmarks.from_mediapipe(track.points), track.valid)
    closure = labels.lid_closure(landmarks.lids(points), track.valid)
    return Reading(landmarks.mouth(points)[:, 0], closure, track.valid)


def read_labels(clip_labels: dict[str, np.ndarray]) -> Reading:
    """The data set's labels: for tracked data sets the track of the video at its full resolution."""
    return Reading(clip_labels["mouth"][:, 0], clip_labels["lids"], clip_labels["valid"])
