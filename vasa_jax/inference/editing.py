"""Whose head motion and whose face: a driving video's, the portrait's own, held still, or a movement made here.

    pose_from      VIDEO | "frontal" | "spin" | "portrait" | None: from the speech
    dynamics_from  VIDEO | "portrait" | None: from the speech

A file that bears one of these names is given as ./frontal.
"""

from pathlib import Path

import numpy as np
from jaxtyping import Float

from vasa_jax.ops import directions
from vasa_jax.paths import PathLike

FRONTAL, SPIN, PORTRAIT = "frontal", "spin", "portrait"
POSES, DYNAMICS = (FRONTAL, SPIN, PORTRAIT), (PORTRAIT,)
_PITCH, _YAW = np.radians(8.0), np.radians(18.0)
_PERIOD, _START = 100, 50
"""Frames of a turn of the spinning head, and of the start in which its circle widens."""
_AXIS = np.asarray([0.0, 0.3, 0.35])
"""What the spinning head turns about, in the canonical head frame: between the ears, above the neck."""


def is_video(source: PathLike | None) -> bool:
    """Whether it names a file, not a movement of this module."""
    return source is not None and str(source) not in (*POSES, *DYNAMICS)


def same_video(a: PathLike | None, b: PathLike | None) -> bool:
    """Whether both name one file."""
    return a is not None and b is not None and is_video(a) and is_video(b) and Path(a) == Path(b)


def made_pose(kind: str, frames: int) -> Float[np.ndarray, "t 7"]:
    """The pose of FRONTAL and PORTRAIT (nothing moves) or SPIN, about a head in the middle of the crop."""
    if kind == SPIN:
        return spin(frames)
    return np.asarray([[0, 0, 0, 0, 0, 0, 1]], np.float32)


def spin(frames: int) -> Float[np.ndarray, "t 7"]:
    """A head whose nose draws an ellipse, from rest, in four seconds a round; it turns about a place inside it."""
    from scipy.spatial.transform import Rotation

    at = np.arange(frames)
    phase, size = 2 * np.pi * at / _PERIOD, np.clip(at / _START, 0, 1)
    pose = np.zeros((frames, 7), np.float32)
    pose[:, 0], pose[:, 1], pose[:, 6] = size * _PITCH * np.cos(phase), size * _YAW * np.sin(phase), 1.0
    pose[:, 3:6] = _AXIS - Rotation.from_euler("xyz", pose[:, :3]).apply(_AXIS)
    return pose


def from_home(motion: Float[np.ndarray, " m"], home: Float[np.ndarray, " 7"], turned: bool) -> Float[np.ndarray, " m"]:
    """Motion whose head starts where the portrait has it.

    Motion is made around a head that faces the viewer in the middle of the crop. The portrait's head lies near
    that, and is measured with an error; adding its own pose lets the error cancel between source and output.
    With `turned` the head is turned by the portrait's rotation too, after its own, and what it moves goes along; the
    eyes go along as well, for which the gaze was told otherwise (`MotionGenerator.windows`). A driving video's rotation
    is taken as it is, as are those of FRONTAL and SPIN.
    """
    placed = np.array(motion)
    if turned:
        placed[:3] = directions.compose(home[:3], motion[:3])
        placed[3:6] = directions.turn(home[:3], motion[3:6])
    placed[3:6] += home[3:6]
    placed[6] *= home[6]
    return placed


def forth_and_back(at: int, count: int) -> int:
    """Index into a sequence that is played to its end, then backwards, and so on, without a jump."""
    if count == 1:
        return 0
    at %= 2 * (count - 1)
    return at if at < count else 2 * (count - 1) - at
