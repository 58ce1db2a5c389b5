"""What the face does in every frame, read off its tracked points.

These numbers start the dynamics code and condition the motion model. They are those of a tracker: smooth, biased by the
shape of the face, good in their changes. Procedural heads have exact ones in the same units.
"""

import numpy as np
from scipy.spatial.transform import Rotation

from data_pipelines import emotions, schema
from vasa_jax import landmarks

CLOSED_LID_RATIO = 0.12
"""`landmarks.lids` of a closed eye. Measured on GRID blinks: 0.02-0.1 at the bottom of one, 0.29-0.40 when open."""
EYE_RADIUS = 0.47
"""Radius of the eyeball as a share of the distance between the eye's corners (24 mm across, eye 26-30 mm wide)."""
RESTING_ELEVATION = np.radians(8.3)
"""How far above the line between the eye's corners the iris stands when a person looks straight ahead.

The medians of eight GRID speakers are 7-11 degrees, 1.3 apart (standard deviation), whichever way the head leans. It is
taken off as one constant of anatomy and not as each clip's own median: a short clip often has one gaze throughout, and
its median is just the thing to be learned.
"""
_SMILES = (44, 45)  # mouthSmileLeft, mouthSmileRight among MediaPipe's blendshapes
_AT = {index: landmarks.MEDIAPIPE_INDICES.index(index) for index in (33, 133, 263, 362, 468, 473)}
_EYES = ((468, 33, 133), (473, 263, 362))  # iris, outer corner, inner corner; left and right of the image


def fill_gaps(points: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Points [t, K, 3] with frames that are not valid [t] interpolated between their neighbours in time."""
    known = np.flatnonzero(valid)
    if len(known) == len(points):
        return points
    flat = points.reshape(len(points), -1)
    columns = [np.interp(np.arange(len(points)), known, column[known]) for column in flat.T]
    return np.stack(columns, -1).reshape(points.shape).astype(np.float32)


def label_frames(points: np.ndarray, valid: np.ndarray, blendshapes: np.ndarray | None = None) -> dict[str, np.ndarray]:
    """All labels of `schema.PER_FRAME` except phonemes.

    Args:
      points: [t, K, 3] crop-normalised; anything where not valid.
      valid: [t] whether the face was found; at least one.
      blendshapes: [t, 52] of the MediaPipe tracker.
    """
    points = fill_gaps(points, valid)
    pose = landmarks.fit_pose(points)
    eyes = eye_angles(points, pose)
    rotation = Rotation.from_euler("xyz", pose[:, :3]).as_matrix()
    gaze = schema.gaze_angles(np.einsum("tij,tj->ti", rotation, schema.gaze_direction(eyes)))
    labels = {
        "landmarks": points,
        "pose": pose,
        "eyes": eyes,
        "gaze": gaze,
        "lids": lid_closure(landmarks.lids(points), valid),
        "mouth": mouth_shape(points),
        "distance": np.log(pose[:, 6]),
        "emotion": emotion(valid, blendshapes),
    }
    return {**{name: value.astype(np.float32) for name, value in labels.items()}, "valid": valid.astype(bool)}


def eye_angles(points: np.ndarray, pose: np.ndarray) -> np.ndarray:
    """Where the eyes look relative to the head, [t, 2] (theta, phi) in radians, both eyes averaged.

    Each eye is a sphere whose centre lies behind the middle of the eye's corners: in the head frame, the iris strays
    from that middle by radius * `schema.gaze_direction`. Averaging removes what differs by eye: the corners are not
    symmetric about the pupil, which turns both eyes outwards by the same few degrees.
    """
    rotation = Rotation.from_euler("xyz", pose[:, :3]).as_matrix()
    head = np.einsum("tji,tkj->tki", rotation, points - pose[:, None, 3:6])
    offsets = []
    for iris, outer, inner in _EYES:
        a, b = head[:, _AT[outer]], head[:, _AT[inner]]
        radius = EYE_RADIUS * np.linalg.norm(a - b, axis=-1, keepdims=True)
        offsets.append((head[:, _AT[iris]] - (a + b) / 2) / radius)
    x, y, _ = np.mean(offsets, 0).T
    phi = np.arcsin(np.clip(-y, -0.99, 0.99))
    theta = np.arcsin(np.clip(x / np.cos(phi), -0.99, 0.99))
    return np.stack([theta, phi - RESTING_ELEVATION], -1)


def lid_closure(ratio: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Closure 0 (open) .. 1 (closed), [t, 2]: eyes differ in shape, so each is measured by its own 90th percentile.

    Args:
      ratio: `landmarks.lids` [t, 2].
      valid: [t] frames to take the percentile of.
    """
    opened = np.maximum(np.percentile(ratio[valid], 90, axis=0), CLOSED_LID_RATIO + 0.05)
    return np.clip((opened - ratio) / (opened - CLOSED_LID_RATIO), 0, 1)


def mouth_shape(points: np.ndarray) -> np.ndarray:
    """Opening as a share of the face's height and rounding 0..1 (1 = pursed, about 0.3 at rest), [t, 2]."""
    opening, width = np.moveaxis(landmarks.mouth(points), -1, 0)
    return np.stack([opening, np.clip(1 - (width - 0.22) / 0.16, 0, 1)], -1)


def emotion(valid: np.ndarray, blendshapes: np.ndarray | None) -> np.ndarray:
    """[t, 8]: happiness as the clip's median smile, neutral for the rest, so that they sum to 1 as from any source.

    One value a clip, since speech stretches lips too. Neutral alone where nobody measured smiles.
    """
    smile = 0.0 if blendshapes is None else float(np.clip(np.median(blendshapes[valid][:, _SMILES]), 0, 1))
    return np.tile(emotions.coefficients("happiness", smile), (len(valid), 1))
