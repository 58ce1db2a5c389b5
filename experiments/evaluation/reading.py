"""What head, mouth and eyes do in images: by the user's face tracker, or, failing that, by less."""

import dataclasses
from typing import Protocol

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from data_pipelines.prepare import labels, tracking
from experiments.evaluation.data import HeldOut
from experiments.evaluation.models import FaceModel
from vasa_jax import landmarks
from vasa_jax.metrics import ridge

_HOG_SIDE = 128
_HOG_PENALTY = 0.3


@dataclasses.dataclass(frozen=True)
class Reading:
    """What images show; of frames without a face (not valid) the numbers mean nothing.

    Attributes:
      mouth: opening, share of the face's height.
      lids: closure 0..1.
      valid: whether the face was found.
      rotation: of the head, Euler angles in radians as pose[:3]; None where the reader does not say.
      eyes: (theta, phi) in the head, radians.
      points: face points, crop-normalised.
    """

    mouth: Float[np.ndarray, " t"]
    lids: Float[np.ndarray, "t 2"]
    valid: Bool[np.ndarray, " t"]
    rotation: Float[np.ndarray, "t 3"] | None = None
    eyes: Float[np.ndarray, "t 2"] | None = None
    points: Float[np.ndarray, "t k 3"] | None = None

    def cut(self, start: int, stop: int) -> "Reading":
        """Frames start .. stop - 1."""
        parts = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return Reading(**{name: None if part is None else part[start:stop] for name, part in parts.items()})


class Reader(Protocol):
    """Reads images [t, s, s, 3]; `real` names real ones, whose reading may be kept."""

    name: str

    def read(self, images: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """The reading of each image."""

    def close(self) -> None:
        """Lets go of what the reader holds."""


class TrackReader:
    """478-point tracks of every image by itself, enlarged first.

    Args:
      face_model: the landmarker's .task file.
      folder: where tracks of real images are kept for the next run; None keeps none.
    """

    name = "478-point tracks"

    def __init__(self, face_model: str, folder: str | None = None):
        self._tracker: tracking.FaceTracker = tracking.MediaPipeTracker(face_model)
        self._saving = tracking.SavingTracker(self._tracker, folder) if folder else self._tracker

    def read(self, images: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """See `Reader`."""
        tracker = self._tracker if real is None else self._saving
        return read_track(tracker.track(f"{real}_at{images.shape[1]}", images), images.shape[1])

    def close(self) -> None:
        """Closes the tracker."""
        self._tracker.close()


class ModelReader:
    """The face model's own labels of the images: circular, since the model that drew them also reads them."""

    name = "the model's own reading (give --face_model for tracks)"

    def __init__(self, model: FaceModel):
        self._model = model

    def read(self, images: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """See `Reader`."""
        return read_motion(self._model, self._model.motion(images))

    def close(self) -> None:
        """Holds nothing."""


class HogReader:
    """Ridge regression from histograms of gradients (Dalal & Triggs 2005), learned from procedural heads.

    For procedural heads where there is no face tracker: it knows nothing of the model that it judges. It is a coarse
    reader, so its own error is always reported beside what it reads.

    Args:
      images: of training heads, uint8 [n, s, s, 3].
      rotation, eyes, mouth, lids: their exact labels.
    """

    name = "ridge regression from histograms of gradients, learned from procedural heads (give --face_model for tracks)"

    def __init__(
        self,
        images: UInt8[np.ndarray, "n s s 3"],
        rotation: Float[np.ndarray, "n 3"],
        eyes: Float[np.ndarray, "n 2"],
        mouth: Float[np.ndarray, " n"],
        lids: Float[np.ndarray, "n 2"],
    ):
        targets = np.concatenate([rotation, eyes, mouth[:, None], lids], -1)
        self._predict = ridge.fit(gradient_histograms(images), targets, _HOG_PENALTY)

    @classmethod
    def learn(cls, train: HeldOut, every: int = 12) -> "HogReader":
        """From every so many frames of a training split."""
        parts: dict[str, list[np.ndarray]] = {"pictures": [], "rotation": [], "eyes": [], "mouth": [], "lids": []}
        for index in train.choose(0):
            clip = train.clip(index, every)
            parts["pictures"].append(clip.images)
            parts["rotation"].append(clip.labels["pose"][:, :3])
            parts["mouth"].append(clip.labels["mouth"][:, 0])
            parts["eyes"].append(clip.labels["eyes"])
            parts["lids"].append(clip.labels["lids"])
        return cls(**{name: np.concatenate(arrays) for name, arrays in parts.items()})

    def read(self, images: UInt8[np.ndarray, "t s s 3"], real: str | None = None) -> Reading:
        """See `Reader`."""
        rotation, eyes, mouth, lids = np.split(self._predict(gradient_histograms(images)), [3, 5, 6], -1)
        return Reading(mouth[:, 0], np.clip(lids, 0, 1), np.ones(len(images), bool), rotation, eyes)

    def close(self) -> None:
        """Holds nothing."""


def gradient_histograms(images: UInt8[np.ndarray, "n s s 3"]) -> Float[np.ndarray, "n c"]:
    """Histograms of 9 directions in cells of 8 pixels, normalised in blocks of 2 x 2 cells, at 128 pixels."""
    histograms = cv2.HOGDescriptor((_HOG_SIDE,) * 2, (16, 16), (8, 8), (8, 8), 9)
    sized = (cv2.resize(p, (_HOG_SIDE,) * 2, interpolation=cv2.INTER_AREA) for p in images)
    return np.stack([histograms.compute(np.ascontiguousarray(p)).reshape(-1) for p in sized])


def read_motion(model: FaceModel, motion: Float[np.ndarray, "t m"]) -> Reading:
    """The reading of a motion's dynamics code, without any image."""
    found = model.labels(motion)
    lids, valid = np.clip(found["lids"], 0, 1), np.ones(len(motion), bool)
    return Reading(found["mouth"][:, 0], lids, valid, motion[:, :3], found["eyes"])


def read_track(track: tracking.Track, size: int) -> Reading:
    """Frames without a face are filled from their neighbours and marked; without any face all is zero.

    Args:
      size: side of the images in pixels, which span -1..1.
    """
    t = len(track.valid)
    if not track.valid.any():
        points = np.zeros((t, landmarks.COUNT, 3))
        return Reading(np.zeros(t), np.zeros((t, 2)), track.valid, np.zeros((t, 3)), np.zeros((t, 2)), points)
    pixels = labels.fill_gaps(landmarks.from_mediapipe(track.points), track.valid)
    points = (pixels * 2 / size - [1, 1, 0]).astype(np.float32)
    pose = landmarks.fit_pose(points)
    closure, eyes = labels.lid_closure(landmarks.lids(points), track.valid), labels.eye_angles(points, pose)
    return Reading(landmarks.mouth(points)[:, 0], closure, track.valid, pose[:, :3], eyes, points)


def read_labels(clip_labels: dict[str, np.ndarray]) -> Reading:
    """The data set's labels: for tracked data sets the track of the video at its full resolution."""
    whole = (clip_labels["pose"][:, :3], clip_labels["eyes"], clip_labels["landmarks"])
    return Reading(clip_labels["mouth"][:, 0], clip_labels["lids"], clip_labels["valid"], *whole)


def landmark_error(made: Reading, real: Reading) -> Float[np.ndarray, " n"]:
    """Mean distance of the face's points in the image, in percent of the distance of the eyes' outer corners."""
    eyes = [landmarks.SLICES[name].start for name in ("eye_left", "eye_right")]
    scale = np.linalg.norm(real.points[:, eyes[0], :2] - real.points[:, eyes[1], :2], axis=-1)
    error = np.linalg.norm(made.points[..., :2] - real.points[..., :2], axis=-1).mean(-1)
    return np.where(made.valid & real.valid, 100 * error / np.maximum(scale, 1e-6), np.nan)
