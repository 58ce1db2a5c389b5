"""Finds the face of a picture and cuts the square that the face model was trained on. Needs no model file.

Haar cascades (Viola & Jones 2001, the files that OpenCV carries) vote on where the face is; constants measured
against 478-point tracks turn their boxes into crops; the face model's own pose encoder then settles the rest:
in the crop that training used, a head has scale 1 and translation 0 (see `landmarks.fit_pose`).
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax import landmarks
from vasa_jax.errors import InputError
from vasa_jax.paths import PathLike, check_file

# From a cascade's box (centre, side w) to the crop: centre + (dx, dy) w, half side = half w. Medians over 80 GRID
# frames of 8 speakers (half 0.70, speakers 0.65-0.76) and 4 portraits (0.76-0.87), each group given half the weight.
# What is left, root mean square over 23 GRID frames: 1.3 % of a half side in x, 2.5 % in y, 4.2 % in scale; portraits
# up to 4 % and 16 %. Refined by a face model early in its training: 0.9 %, 1.9 %, 1.3 %; portraits up to 7 % and 11 %.
_FRONTAL = {
    "frontalface_alt2": (-0.002, 0.040, 0.74),
    "frontalface_alt": (-0.002, 0.041, 0.74),
    "frontalface_default": (-0.001, 0.043, 0.74),
}
_PROPOSER = "frontalface_alt2"
_DETECTION_SIDE = 480
_SMALLEST = 24  # pixels of a face's width below which nothing of a person is left
_TILTS = (0.0,), (20.0, -20.0, 40.0, -40.0, 90.0, -90.0, 180.0)  # in turn; the best of a group is taken
_ROUNDS = 3
MARGIN = 1.5
"""How much wider than the crop the picture is that a turning head may uncover."""

PoseOf = Callable[[Float[np.ndarray, "r r 3"]], Float[np.ndarray, " 7"]]


@dataclasses.dataclass(frozen=True)
class FaceBox:
    """The crop square in source pixels: centre, half side, and how far (degrees, clockwise) its top is turned."""

    x: float
    y: float
    half: float
    tilt: float = 0.0
    found_by: str = "given"
    faces: int = 1
    """How many faces the picture shows; this is the largest."""

    def moved(self, pose: Float[np.ndarray, " 7"]) -> "FaceBox":
        """The box in which a head of that pose (in this box) has scale 1 and translation 0."""
        right, down = _axes(self.tilt)
        x, y = np.asarray([self.x, self.y]) + self.half * (pose[3] * right + pose[4] * down)
        return dataclasses.replace(self, x=float(x), y=float(y), half=float(self.half * pose[6]))


def cut(picture: UInt8[np.ndarray, "h w 3"], box: FaceBox, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The box as a picture of size x size; what lies outside the source is mirrored at its edge."""
    finer = max(1, int(np.ceil(2 * box.half / size)))  # sampled at full detail, then averaged down
    fine = size * finer
    right, down = _axes(box.tilt)
    step = 2 * box.half / fine
    corner = np.asarray([box.x, box.y]) - (right + down) * (box.half - step / 2) - 0.5
    matrix = np.stack([right * step, down * step, corner], axis=1).astype(np.float64)
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if step >= 0.5 else cv2.INTER_CUBIC)
    out = cv2.warpAffine(picture, matrix, (fine, fine), flags=flags, borderMode=cv2.BORDER_REFLECT_101)
    return out if finer == 1 else cv2.resize(out, (size, size), interpolation=cv2.INTER_AREA)


def cut_with_margin(picture: UInt8[np.ndarray, "h w 3"], box: FaceBox, size: int) -> UInt8[np.ndarray, "p p 3"]:
    """The box at size x size with what surrounds it: `MARGIN` times as wide, the box in the middle."""
    wide = size + 2 * round(size * (MARGIN - 1) / 2)
    return cut(picture, dataclasses.replace(box, half=box.half * wide / size), wide)


def find_face(
    picture: UInt8[np.ndarray, "h w 3"],
    *,
    name: str = "the picture",
    pose_of: PoseOf | None = None,
    resolution: int = 128,
    face_model: PathLike | None = None,
) -> FaceBox:
    """Where the largest face is.

    Args:
      picture: RGB.
      name: what to call the picture in an error.
      pose_of: the face model's pose encoder on a float picture of side `resolution`; refines the crop.
      face_model: a MediaPipe face landmarker task file, used instead of all that.

    Raises:
      InputError: no face, or a useless face model file.
    """
    if face_model is not None:
        return _by_landmarks(picture, name, face_model)
    faces = _by_cascades(picture)
    if not faces:
        raise InputError(
            f"{name}: no face was found; give a picture with one upright, unobstructed face looking roughly at the "
            f"camera and at least {2 * _SMALLEST} pixels wide, or a MediaPipe face landmarker with --face_model"
        )
    box = dataclasses.replace(max(faces, key=lambda face: face.half), faces=len(faces))
    return box if pose_of is None else refine(picture, box, pose_of, resolution)


def refine(picture: UInt8[np.ndarray, "h w 3"], box: FaceBox, pose_of: PoseOf, resolution: int) -> FaceBox:
    """Recrops until the pose encoder reads scale 1 and translation 0; keeps the first box where it reads nonsense."""
    first, best, least = box, box, np.inf
    for _ in range(_ROUNDS):
        pose = np.asarray(pose_of(cut(picture, box, resolution).astype(np.float32) / 255))
        error = float(np.hypot(*pose[3:5]) + abs(np.log(max(pose[6], 1e-3))))
        if not np.isfinite(error) or error >= least:
            break
        best, least = box, error
        box = box.moved(pose)
        shift = np.hypot(box.x - first.x, box.y - first.y) / first.half
        if not (0.7 < box.half / first.half < 1.4 and shift < 0.35):
            return first
    return best


def find_in_video(frames: Iterable[UInt8[np.ndarray, "h w 3"]], **options) -> FaceBox:
    """One box for a whole clip: the median of those of some frames. Options as for `find_face`."""
    boxes, error = [], None
    for frame in frames:
        try:
            boxes.append(find_face(frame, **options))
        except InputError as failure:
            error = failure
    if not boxes:
        raise error or InputError(f"{options.get('name', 'the video')} has no frames")
    x, y, half = np.median([(box.x, box.y, box.half) for box in boxes], axis=0)
    return dataclasses.replace(boxes[0], x=float(x), y=float(y), half=float(half), tilt=0.0)


def _axes(tilt: float) -> tuple[np.ndarray, np.ndarray]:
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    return np.asarray([c, s]), np.asarray([-s, c])


# ---------------------------------------------------------------- cascades


@functools.cache
def _cascade(name: str) -> cv2.CascadeClassifier:
    data = getattr(getattr(cv2, "data", None), "haarcascades", "")
    cascade = cv2.CascadeClassifier(f"{data}haarcascade_{name}.xml")
    if cascade.empty():
        raise InputError(f"{data}haarcascade_{name}.xml is missing: install opencv-python-headless >=4.11,<5")
    return cascade


def _by_cascades(picture: UInt8[np.ndarray, "h w 3"]) -> list[FaceBox]:
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    scale = min(_DETECTION_SIDE / max(grey.shape), 4.0)
    if scale < 1 or max(grey.shape) < _DETECTION_SIDE / 2:
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
        grey = cv2.resize(grey, None, fx=scale, fy=scale, interpolation=way)
    else:
        scale = 1.0
    for tilts in _TILTS:
        readings = [_upright_faces(grey, tilt) for tilt in tilts]
        faces = max(readings, key=lambda found: max(map(_certainty, found), default=(0, 0)))
        faces = [face for _, face in faces if face.half / scale * 1.3 >= _SMALLEST]
        if faces:
            return [dataclasses.replace(f, x=f.x / scale, y=f.y / scale, half=f.half / scale) for f in faces]
    return []


def _certainty(found: tuple[int, FaceBox]) -> tuple[int, int]:
    votes, face = found
    return votes, round(np.log2(face.half))  # of equal votes a clearly larger face, else the smaller tilt


def _upright_faces(grey: UInt8[np.ndarray, "h w"], tilt: float) -> list[tuple[int, FaceBox]]:
    """(score, face) of every face that stands upright once the picture is turned by `tilt`.

    One cascade proposes, in two contrasts; a proposal counts when every cascade finds it too. Noise deceives one or
    two of the three, hardly ever all; faces are found by five or six of the six readings.
    """
    turned, back = _turn(grey, tilt)
    smallest = max(24, min(grey.shape) // 14)
    views = (turned, cv2.equalizeHist(turned))
    faces: list[tuple[int, FaceBox]] = []
    proposals = [
        box for view in views for box in _cascade(_PROPOSER).detectMultiScale(view, 1.1, 3, 0, (smallest, smallest))
    ]
    for x, y, w, _ in sorted(proposals, key=lambda box: -box[2]):
        if any(np.hypot(x + w / 2 - f.x, y + w / 2 - f.y) < 0.6 * f.half for _, f in faces):
            continue
        votes = [vote for view in views for name in _FRONTAL if (vote := _reading(view, name, x, y, w)) is not None]
        names = {name for name, *_ in votes}
        if len(names) == len(_FRONTAL) and len(votes) >= (4 if tilt == 0 else 5):
            centre_x, centre_y, half = np.median([place for _, *place in votes], axis=0)
            faces.append((len(votes), FaceBox(centre_x, centre_y, half, tilt, "cascades")))
    return [(s, dataclasses.replace(f, x=float(x), y=float(y))) for s, f in faces for x, y in [back @ [f.x, f.y, 1.0]]]


def _reading(view: np.ndarray, name: str, x: int, y: int, w: int) -> tuple[str, float, float, float] | None:
    """(cascade, centre x, centre y, half side) of the crop that one cascade sees where another saw the box x, y, w."""
    left, top = max(0, int(x - 0.4 * w)), max(0, int(y - 0.4 * w))
    part = np.ascontiguousarray(view[top : int(y + 1.4 * w), left : int(x + 1.4 * w)])
    limits = (int(0.6 * w),) * 2, (int(1.6 * w),) * 2
    boxes = _cascade(name).detectMultiScale(part, 1.05, 3, 0, *limits)
    if not len(boxes):
        return None
    bx, by, bw, _ = max(boxes, key=lambda box: box[2])
    dx, dy, half = _FRONTAL[name]
    return name, left + bx + (0.5 + dx) * bw, top + by + (0.5 + dy) * bw, half * bw


def _turn(grey: UInt8[np.ndarray, "h w"], tilt: float) -> tuple[np.ndarray, Float[np.ndarray, "2 3"]]:
    """The picture turned so that a face tilted clockwise by `tilt` stands upright, and the way back for points."""
    if not tilt:
        return grey, np.eye(3)[:2]
    height, width = grey.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), tilt, 1.0)
    reach = np.abs(matrix[:, :2]) @ [width, height]
    matrix[:, 2] += reach / 2 - [width / 2, height / 2]
    turned = cv2.warpAffine(grey, matrix, tuple(int(r) for r in np.ceil(reach)), borderMode=cv2.BORDER_REPLICATE)
    return turned, cv2.invertAffineTransform(matrix)


# ---------------------------------------------------------------- landmarks


@functools.cache
def _landmarker(path: str):
    try:
        from mediapipe.tasks.python import BaseOptions, vision
    except ImportError:
        raise InputError(f"--face_model={path} needs the mediapipe package: pip install 'vasa_jax[prepare]'") from None
    try:
        return vision.FaceLandmarker.create_from_options(
            vision.FaceLandmarkerOptions(base_options=BaseOptions(model_asset_path=path), num_faces=5)
        )
    except (RuntimeError, ValueError):
        raise InputError(f"{path} is not a MediaPipe face landmarker: give face_landmarker.task") from None


def _by_landmarks(picture: UInt8[np.ndarray, "h w 3"], name: str, face_model: PathLike) -> FaceBox:
    import_path = str(check_file(face_model, "a MediaPipe face landmarker task file"))
    landmarker = _landmarker(import_path)
    import mediapipe

    height, width = picture.shape[:2]
    scale = max(1.0, 700 / min(height, width))  # it misses faces in small pictures
    large = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) if scale > 1 else picture
    image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.ascontiguousarray(large))
    faces = landmarker.detect(image).face_landmarks
    if not faces:
        raise InputError(f"{name}: no face was found with {face_model}; give a picture with one clearly visible face")
    points = np.asarray([[(p.x * width, p.y * height, p.z * width) for p in face] for face in faces], np.float32)
    poses = landmarks.fit_pose(landmarks.from_mediapipe(points))
    pose = poses[np.argmax(poses[:, 6])]
    return FaceBox(float(pose[3]), float(pose[4]), float(pose[6]), 0.0, "landmarks", len(faces))
