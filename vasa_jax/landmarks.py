"""The face points that data, losses and metrics share, and what is measured on them.

One list of K semantic points, a subset of the 478 points of the MediaPipe face mesh, so that tracked
video and procedural heads speak of the same places. Coordinates are *crop-normalised*: x right, y down,
z away from the viewer, in half crop widths, so that a square crop spans -1..1.

The canonical head frame is that of `template()`, a mean neutral face; `fit_pose` gives the similarity
transform that carries it onto a face: ``x_crop = scale * R @ x_canonical + translation``.
"""

import functools
import importlib.resources
import json
from collections.abc import Mapping

import numpy as np
from scipy.spatial.transform import Rotation

# Clockwise from the middle of the forehead, as seen in the image.
_OVAL = (10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377, 152,
         148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109)  # fmt: skip
# From the corner on the image's left along the lower lip to the other corner, back along the upper lip.
_LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
_LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
# From the outer corner along the lower lid to the inner corner, back along the upper lid.
_EYE_LEFT_OF_IMAGE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
_EYE_RIGHT_OF_IMAGE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
_IRISES = (468, 473)
# Upper edge then lower edge, each from the temple to the nose.
_BROW_LEFT_OF_IMAGE = (70, 63, 105, 66, 107, 46, 53, 52, 65, 55)
_BROW_RIGHT_OF_IMAGE = (300, 293, 334, 296, 336, 276, 283, 282, 295, 285)
# Bridge to tip, base, wings left and right of the image.
_NOSE = (168, 6, 197, 195, 5, 4, 1, 2, 48, 278)

GROUPS: Mapping[str, tuple[int, ...]] = {
    "oval": _OVAL,
    "lips_outer": _LIPS_OUTER,
    "lips_inner": _LIPS_INNER,
    "eye_left": _EYE_LEFT_OF_IMAGE,
    "eye_right": _EYE_RIGHT_OF_IMAGE,
    "irises": _IRISES,
    "brow_left": _BROW_LEFT_OF_IMAGE,
    "brow_right": _BROW_RIGHT_OF_IMAGE,
    "nose": _NOSE,
}
"""Group name -> MediaPipe indices; "left" and "right" are those of the image, not of the person."""

MARGIN = 1.25
"""Stored images span -MARGIN..MARGIN in crop-normalised coordinates; the model's image is -1..1."""
MEDIAPIPE_INDICES = tuple(i for group in GROUPS.values() for i in group)
COUNT = len(MEDIAPIPE_INDICES)


def _slices() -> dict[str, slice]:
    slices, start = {}, 0
    for name, group in GROUPS.items():
        slices[name] = slice(start, start + len(group))
        start += len(group)
    return slices


SLICES = _slices()
"""Group name -> where its points lie among the K points."""


def _at(mediapipe_index: int) -> int:
    return MEDIAPIPE_INDICES.index(mediapipe_index)


# Points that speech and blinks do not move.
RIGID = tuple(_at(i) for i in (33, 133, 263, 362, 168, 6, 197, 195, 5, 4, 10, 338, 109, 127, 356, 234, 454))


def from_mediapipe(points: np.ndarray) -> np.ndarray:
    """Picks the K points of this module out of the 478 of the MediaPipe mesh, [..., 478, c] -> [..., K, c]."""
    return points[..., MEDIAPIPE_INDICES, :]


def flip_permutation() -> np.ndarray:
    """Index array that renames the points of a mirrored image: ``mirrored[..., flip_permutation(), :]``."""
    order = np.arange(COUNT)

    def ring(name: str, shift: int) -> None:
        at = SLICES[name]
        n = at.stop - at.start
        order[at] = at.start + (shift - np.arange(n)) % n

    def swap(a: str, b: str) -> None:
        order[SLICES[a]] = np.arange(SLICES[b].start, SLICES[b].stop)
        order[SLICES[b]] = np.arange(SLICES[a].start, SLICES[a].stop)

    ring("oval", 0)
    ring("lips_outer", 10)
    ring("lips_inner", 10)
    swap("eye_left", "eye_right")
    swap("brow_left", "brow_right")
    iris = SLICES["irises"].start
    order[[iris, iris + 1]] = iris + 1, iris
    wing = SLICES["nose"].stop - 2
    order[[wing, wing + 1]] = wing + 1, wing
    return order


@functools.cache
def template() -> np.ndarray:
    """The canonical face: mean neutral points [K, 3] of tracked speakers, frontal, in the head frame."""
    text = importlib.resources.files("vasa_jax").joinpath("template.json").read_text()
    return np.asarray(json.loads(text)["points"], np.float32)


def fit_pose(points: np.ndarray, reference: np.ndarray | None = None) -> np.ndarray:
    """Least-squares similarity transform (Umeyama 1991) from the template's rigid points to a face's.

    Args:
      points: crop-normalised face points [..., K, 3].
      reference: canonical points [K, 3]; the template by default.

    Returns:
      pose [..., 7]: rotation (about x, y, z in radians; R = Rz Ry Rx), translation, scale.
    """
    rigid = list(RIGID)
    source = (template() if reference is None else reference)[rigid].astype(np.float64)
    flat = points.reshape(-1, *points.shape[-2:])[:, rigid].astype(np.float64)
    centre, middle = source.mean(0), flat.mean(1, keepdims=True)
    source = source - centre
    u, s, vt = np.linalg.svd(np.einsum("bki,kj->bij", flat - middle, source))
    sign = np.ones_like(s)
    sign[:, 2] = np.sign(np.linalg.det(u @ vt))
    rotation = (u * sign[:, None, :]) @ vt
    scale = (s * sign).sum(-1) / np.square(source).sum()
    translation = middle[:, 0] - scale[:, None] * np.einsum("bij,j->bi", rotation, centre)
    angles = Rotation.from_matrix(rotation).as_euler("xyz")
    pose = np.concatenate([angles, translation, scale[:, None]], -1)
    return pose.reshape(*points.shape[:-2], 7).astype(np.float32)


def face_height(points: np.ndarray) -> np.ndarray | np.floating:
    """Forehead to chin [...], along the head's own axis so that an open jaw does not count twice."""
    return np.linalg.norm(points[..., _at(10), :] - points[..., _at(2), :], axis=-1) * 1.45


def mouth(points: np.ndarray) -> np.ndarray:
    """Mouth opening and width [..., 2], as shares of the face height."""
    opening = np.linalg.norm(points[..., _at(13), :] - points[..., _at(14), :], axis=-1)
    width = np.linalg.norm(points[..., _at(61), :] - points[..., _at(291), :], axis=-1)
    return np.stack([opening, width], -1) / np.asarray(face_height(points))[..., None]


def lids(points: np.ndarray) -> np.ndarray:
    """Eye opening [..., 2] (left and right of the image): lid distance as a share of the eye's width."""

    def one(upper: tuple[int, ...], lower: tuple[int, ...], outer: int, inner: int) -> np.ndarray | np.floating:
        gap = [
            np.linalg.norm(points[..., _at(u), :2] - points[..., _at(v), :2], axis=-1)
            for u, v in zip(upper, lower, strict=True)
        ]
        return np.mean(gap, 0) / np.linalg.norm(points[..., _at(outer), :2] - points[..., _at(inner), :2], axis=-1)

    left = one((160, 159, 158), (144, 145, 153), 33, 133)
    right = one((387, 386, 385), (373, 374, 380), 263, 362)
    return np.stack([left, right], -1)
