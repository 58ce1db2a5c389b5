"""A tracker that needs no file of yours: it finds where the face is and how large, and nothing else.

The detector of `inference.portrait` looks at every fifth image; a neutral, frontal template face is put where it
found one. Crops come out right. Labels of pose, gaze, lids and mouth are those of the template, that is, none: what
is trained with them as targets learns nothing true. The report of such a data set says so.
"""

import pathlib
from collections.abc import Iterable

import numpy as np

from data_pipelines.prepare import tracking
from vasa_jax import landmarks
from vasa_jax.errors import InputError
from vasa_jax.inference import portrait

EVERY = 5
"""Pictures from one look to the next."""
NOTE = "boxes only: landmarks, pose, gaze, lids and mouth are those of a neutral face that looks ahead"
_SMOOTHING = 2  # looks either way of which the median is taken: detectors waver by a few percent of the face


class BoxTracker:
    """See the module."""

    def track(self, clip_id: str, images: Iterable[np.ndarray], box: tracking.Box | None = None) -> tracking.Track:
        """See `tracking.FaceTracker`."""
        looks, count = [], 0
        for count, image in enumerate(images, 1):
            if (count - 1) % EVERY == 0:
                looks.append(_look(image, box, clip_id))
        if not looks:
            raise InputError("no image could be decoded; leave it out or fetch it again")
        seen = np.asarray([look is not None for look in looks])
        nearest = np.minimum((np.arange(count) + EVERY // 2) // EVERY, len(looks) - 1)
        valid = seen[nearest]
        faces = np.asarray([0 if look is None else look.faces for look in looks], np.int32)[nearest]
        blendshapes = np.zeros((count, tracking.BLENDSHAPES), np.float32)
        points = np.zeros((count, tracking.MESH_POINTS, 3), np.float32)
        if seen.any():
            places = _smoothed(np.asarray([(k.x, k.y, k.half) for k in looks if k is not None]))
            at = EVERY * np.flatnonzero(seen)
            x, y, half = (np.interp(np.arange(count), at, column) for column in places.T)
            centre = np.stack([x, y, np.zeros(count)], -1)[:, None]
            face = landmarks.template() * half[:, None, None] + centre
            points[:, landmarks.MEDIAPIPE_INDICES] = np.where(valid[:, None, None], face, 0)
        return tracking.Track(points, blendshapes, valid, faces)

    def close(self) -> None:
        """Holds nothing."""


def _look(image: np.ndarray, box: tracking.Box | None, clip_id: str) -> portrait.FaceBox | None:
    left, top, part = tracking.look_at(image, box)
    try:
        face = portrait.find_face(part, name=pathlib.PurePath(clip_id).name)
    except InputError:
        return None
    return portrait.FaceBox(face.x + left, face.y + top, face.half, face.tilt, face.found_by, face.faces)


def _smoothed(places: np.ndarray) -> np.ndarray:
    """[n, 3] with each row the median of those about it."""
    return np.stack(
        [np.median(places[max(0, k - _SMOOTHING) : k + _SMOOTHING + 1], axis=0) for k in range(len(places))]
    )
