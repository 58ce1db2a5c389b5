"""Where the face is in every image of a clip: one interface, three back ends.

`LandmarksFolder` reads tracks made before, so that no run depends on a tracker; `MediaPipeTracker` finds them with the
MediaPipe face landmarker, whose model file the user gives (it cannot be shipped here); `boxes.BoxTracker` needs no file
and finds only where the face is.
"""

import dataclasses
import os
import pathlib
import zipfile
from collections.abc import Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from PIL import Image

from vasa_jax import face_landmarker, files
from vasa_jax.errors import InputError

MESH_POINTS, BLENDSHAPES = 478, 52
MAX_FACES = 3
Box = tuple[float, float, float, float]
_TRACKING_WIDTH = 700  # the landmarker's detector overlooks faces in smaller images


@dataclasses.dataclass(frozen=True)
class Track:
    """Face points of t images.

    Attributes:
      points: [t, 478, 3] pixels of the image; the outer edge of the first pixel is 0; z in the same unit. Zero where
        no face was found.
      blendshapes: [t, 52] in MediaPipe's order, 0..1.
      valid: [t] whether a face was found.
      faces: [t] how many faces the image shows (few trackers count beyond MAX_FACES); None if nobody counted.
    """

    points: np.ndarray
    blendshapes: np.ndarray
    valid: np.ndarray
    faces: np.ndarray | None = None

    def take(self, indices: np.ndarray) -> "Track":
        """The track of the images at these places."""
        faces = None if self.faces is None else self.faces[indices]
        return Track(self.points[indices], self.blendshapes[indices], self.valid[indices], faces)

    def save(self, path: str | os.PathLike) -> None:
        """Writes a file that `LandmarksFolder` reads."""
        with files.replacing(path) as temporary, open(temporary, "wb") as file:
            counted = {} if self.faces is None else {"faces": self.faces}
            np.savez(file, lm=self.points, bs=self.blendshapes, ok=self.valid, **counted)


@runtime_checkable
class FaceTracker(Protocol):
    """Finds the face of one clip."""

    def track(self, clip_id: str, images: Iterable[np.ndarray], box: Box | None = None) -> Track:
        """Tracks the decoded uint8 images [h, w, 3] of a clip, in order, which may be far too many to keep.

        Args:
          clip_id: names the clip.
          images: are read once.
          box: (left, top, right, bottom) as shares of the image: where to look; without it the largest face counts.

        Raises:
          InputError: it cannot.
        """

    def close(self) -> None:
        """Lets go of what the tracker holds; it tracks no more."""


class LandmarksFolder:
    """Reads ``FOLDER/CLIP_ID.npz``: lm [t, 478, 3] in pixels, ok [t]; may be absent: bs [t, 52], faces [t]."""

    def __init__(self, folder: str | os.PathLike):
        self.folder = pathlib.Path(folder)
        if not self.folder.is_dir():
            raise InputError(
                f"{folder}: no such folder of landmarks; give another --landmarks, or --face_model to track afresh"
            )

    def track(self, clip_id: str, images: Iterable[np.ndarray], box: Box | None = None) -> Track:
        """See `FaceTracker`."""
        path = self.folder / f"{clip_id}.npz"
        if not path.exists():
            raise InputError(f"{path}: no landmarks of this clip; track it with --face_model")
        try:
            with np.load(path) as file:
                points, valid = file["lm"].astype(np.float32), file["ok"].astype(bool)
                shapes = (
                    file["bs"].astype(np.float32) if "bs" in file else np.zeros((len(valid), BLENDSHAPES), np.float32)
                )
                faces = file["faces"].astype(np.int32) if "faces" in file else None
        except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise InputError(f"{path}: not a landmarks file ({error}); delete it and track again") from error
        count = sum(1 for _ in images)
        if points.shape != (count, MESH_POINTS, 3) or len(valid) != count:
            raise InputError(f"{path}: landmarks of shape {points.shape} for a clip of {count} images; track it again")
        return Track(points, shapes, valid, faces)

    def close(self) -> None:
        """Holds nothing."""


class SavingTracker:
    """Another tracker whose tracks are kept in a folder, from which they are read the next time."""

    def __init__(self, tracker: FaceTracker, folder: str | os.PathLike):
        self._tracker = tracker
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        self._saved = LandmarksFolder(folder)

    def track(self, clip_id: str, images: Iterable[np.ndarray], box: Box | None = None) -> Track:
        """See `FaceTracker`."""
        path = self._saved.folder / f"{clip_id}.npz"
        if path.exists():
            return self._saved.track(clip_id, images)
        track = self._tracker.track(clip_id, images, *(() if box is None else (box,)))
        track.save(path)
        return track

    def close(self) -> None:
        """Closes the other tracker."""
        self._tracker.close()


class MediaPipeTracker:
    """The MediaPipe face landmarker (package `mediapipe`) on every image by itself: order does not matter."""

    def __init__(self, model_path: str | os.PathLike):
        if not pathlib.Path(model_path).is_file():
            raise InputError(
                f"{model_path}: no such file; give --face_model the face landmarker of MediaPipe"
                " (face_landmarker_v2_with_blendshapes.task), or --landmarks a folder of tracks"
            )
        options = {"output_face_blendshapes": True, "num_faces": MAX_FACES}
        self._landmarker = face_landmarker.open_landmarker(model_path, **options)

    def track(self, clip_id: str, images: Iterable[np.ndarray], box: Box | None = None) -> Track:
        """See `FaceTracker`."""
        found: list[tuple[np.ndarray, ...]] = []
        last = None
        for image in images:
            if image is not last:  # else repeated: the video has fewer than 25 a second
                one, last = self._one(image, box), image
            found.append(one)
        if not found:
            raise InputError("no image could be decoded; leave it out or fetch it again")
        return Track(*(np.stack(arrays) for arrays in zip(*found, strict=True)))

    def close(self) -> None:
        """To be called: left to the end of the process, MediaPipe closes when half of Python is gone, and says so."""
        self._landmarker.close()

    def _one(self, image: np.ndarray, box: Box | None) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        left, top, image = look_at(image, box)
        height, width = image.shape[:2]
        factor = _TRACKING_WIDTH / width
        if factor > 1:
            size = (_TRACKING_WIDTH, round(height * factor))
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        result = face_landmarker.look(self._landmarker, image)
        count = np.asarray(len(result.face_landmarks), np.int32)
        if not count:
            empty = np.zeros((MESH_POINTS, 3), np.float32), np.zeros(BLENDSHAPES, np.float32)
            return *empty, np.asarray(False), count
        faces = face_landmarker.points_of(result) * np.float32([width, height, width])
        largest = int(np.argmax(np.ptp(faces[..., :2], axis=1).max(-1)))
        shapes = np.asarray([shape.score for shape in result.face_blendshapes[largest]], np.float32)
        return faces[largest] + np.float32([left, top, 0]), shapes, np.asarray(True), count


def look_at(image: np.ndarray, box: Box | None) -> tuple[int, int, np.ndarray]:
    """(left, top, part) of an image about a face's box, half the box wider on every side."""
    if box is None:
        return 0, 0, image
    height, width = image.shape[:2]
    x, y = (box[2] - box[0]) / 2, (box[3] - box[1]) / 2
    left, right = (int(np.clip(v, 0, 1) * width) for v in (box[0] - x, box[2] + x))
    top, bottom = (int(np.clip(v, 0, 1) * height) for v in (box[1] - y, box[3] + y))
    if right - left < 16 or bottom - top < 16:
        return 0, 0, image
    return left, top, np.ascontiguousarray(image[top:bottom, left:right])
