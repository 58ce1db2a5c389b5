"""Finds the face of an image and cuts the square that the face model was trained on.

BlazeFace (`blaze_face.py`) looks at the image in its four turns; for each face that turn counts in which it is
surest and eyes, nose and mouth lie below each other. Its six points give the crop in which a head has scale 1 and
translation 0 (see `landmarks.fit_pose`). What the face model's own pose encoder does not follow as one upright head
is refused, and so is a face of which the image shows too little.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Bool, Float, UInt8

from vasa_jax import face_landmarker, landmarks
from vasa_jax.errors import InputError
from vasa_jax.inference import blaze_face
from vasa_jax.paths import PathLike, check_file

# From BlazeFace's reading to the crop: centre = eyes + 0.26 (mouth - eyes) - 0.47 (nose - eyes) + 0.158 w down, half
# side = 0.84 w, with eyes their middle, w the box's width, down at right angles to the line of the eyes. Least
# squares over 262 photographs, paintings and engravings of six collections against 478-point tracks. What is left in
# 262 others, root mean square: 1.5 % of a half side in x, 1.6 % in y, 4.2 % in scale. Refining that by the bundled
# pose encoder made it worse: 1.3, 1.7, 4.1 % before and 2.9, 2.7, 6.3 % after over 70 of them.
_TO_MOUTH, _TO_NOSE, _DOWN, _HALF = 0.26, -0.47, 0.158, 0.84
_LOOKS = (1.6, 1.0), (0.5,), (0.25,)  # windows in longer sides of the image; the next where nothing was found
_REACHES = 2.4, 1.8, 3.2  # sides of the windows of the second look, in widths of the face
_LEAST_LOOK = 0.3
_LEAST_GLANCE, _RIVALS = 0.5, 0.3  # of a place's first window: the score that goes on, how far behind a turn may be
_FINEST = 1.5 * blaze_face.SIDE  # pixels of the image to a window; smaller ones show nothing new
_MOST_PLACES = 8  # in a look that are looked at twice
# A face counts where BlazeFace's second look, the mean of its scores, reaches _LEAST_SCORE, and that look and a share
# of how far the pose encoder follows a moved crop (`_follows`) reach _LEAST_SUM. Over 90 photographs and paintings
# the look is 0.78 to 0.98, the encoder follows by 0.08 to 0.82, the sum is 0.90 at least. Over 261 images of
# animals and things the look is 0.77 at most, the encoder follows by -0.30 to 0.45, and all sums but one (a drawn
# beetle with a face) are 0.82 at most. In faces turned by 90 or 180 degrees it follows by -0.27 to 0.35. Its pose
# alone says nothing: it reads a head's usual place and angles off whatever it is shown.
_LEAST_SCORE = 0.72
_SHARE_OF_FOLLOWING, _LEAST_SUM = 0.3, 0.85
_NUDGE, _ZOOM, _TURN = 0.2, 1.25, 20.0  # of the moved crops: half sides, times, degrees
_LEAST_SHOWN = 0.75  # share of the face's rectangle, forehead to chin and ear to ear, that lies in the image
_SMALLEST = 24  # pixels of a face's width below which nothing of a person is left
_UPRIGHT = 25.0  # degrees of roll that the pose encoder was trained with; crops of more are turned
_MOST_ROLL = 50.0  # degrees; beyond 45 another of the four turns stands nearer
MARGIN = 1.5
"""How much wider than the crop the image is that a turning head may uncover."""

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
    """How many faces the image shows; this is the largest."""


def remarks(name: str, box: dict) -> list[str]:
    """What was decided about a portrait and a user may want to know; `box` has FaceBox' fields "faces" and "tilt"."""
    lines = []
    if box["faces"] > 1:
        lines.append(f"{name} shows {box['faces']} faces; the largest speaks")
    if box["tilt"]:
        way = "" if box["tilt"] == 180 else " counter-clockwise" if box["tilt"] > 0 else " clockwise"
        lines.append(f"{name}: the face does not stand upright; turned by {abs(box['tilt']):.0f} degrees{way}")
    return lines


def cut(image: UInt8[np.ndarray, "h w 3"], box: FaceBox, size: int) -> UInt8[np.ndarray, "s s 3"]:
    """The box as an image of size x size; beyond the source the colours of its edge fade into each other."""
    finer = max(1, int(np.ceil(2 * box.half / size)))  # sampled at full detail, then averaged down
    fine = size * finer
    step = 2 * box.half / fine
    matrix = _sampling(box, fine)
    flags = cv2.WARP_INVERSE_MAP | (cv2.INTER_LINEAR if step >= 0.5 else cv2.INTER_CUBIC)
    out = cv2.warpAffine(image, matrix, (fine, fine), flags=flags, borderMode=cv2.BORDER_REPLICATE)
    out = out if finer == 1 else cv2.resize(out, (size, size), interpolation=cv2.INTER_AREA)
    return _filled(out, _inside(image.shape[:2], box, size))


def _sampling(box: FaceBox, size: int) -> Float[np.ndarray, "2 3"]:
    """From the pixels of the box as an image of size x size to those of the source, both counted at their centres."""
    right, down = axes(box.tilt)
    step = 2 * box.half / size
    corner = np.asarray([box.x, box.y]) - (right + down) * (box.half - step / 2) - 0.5
    return np.stack([right * step, down * step, corner], axis=1).astype(np.float64)


def _inside(shape: tuple[int, int], box: FaceBox, size: int) -> Bool[np.ndarray, "s s"]:
    x, y = np.tensordot(_sampling(box, size), np.stack([*np.mgrid[:size, :size][::-1], np.ones((size, size))]), 1)
    return (x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)


def _filled(image: UInt8[np.ndarray, "s s 3"], known: Bool[np.ndarray, "s s"]) -> UInt8[np.ndarray, "s s 3"]:
    """What is not known becomes a smooth continuation of what is: averages of growing surroundings (push and pull).

    A mirrored edge would show parts of a face that is cut off once more, and a repeated one draws streaks.
    """
    if known.all() or not known.any():
        return image
    colour: np.ndarray = image * known[..., None].astype(np.float32)
    weight: np.ndarray = known.astype(np.float32)
    levels = []
    while weight.size > 1:
        levels.append((colour, weight[..., None]))
        half = tuple((side + 1) // 2 for side in weight.shape[::-1])
        colour, weight = (cv2.resize(part, half, interpolation=cv2.INTER_AREA) for part in (colour, weight))
    fill = (colour / weight).reshape(1, 1, 3)
    for colour, weight in reversed(levels):
        larger = cv2.resize(fill, weight.shape[1::-1], interpolation=cv2.INTER_LINEAR).reshape(colour.shape)
        fill = colour + (1 - weight) * larger
    return np.where(known[..., None], image, np.clip(fill + 0.5, 0, 255).astype(np.uint8))


def cut_with_margin(image: UInt8[np.ndarray, "h w 3"], box: FaceBox, size: int) -> UInt8[np.ndarray, "p p 3"]:
    """The box at size x size with what surrounds it: `MARGIN` times as wide, the box in the middle."""
    wide = size + 2 * round(size * (MARGIN - 1) / 2)
    return cut(image, dataclasses.replace(box, half=box.half * wide / size), wide)


def find_face(
    image: UInt8[np.ndarray, "h w 3"],
    *,
    name: str = "the image",
    pose_of: PoseOf | None = None,
    resolution: int = 128,
    face_model: PathLike | None = None,
) -> FaceBox:
    """Where the largest face is.

    Args:
      image: RGB.
      name: what to call the image in an error.
      pose_of: the face model's pose encoder on a float image of side `resolution`; must follow the head.
      face_model: a MediaPipe face landmarker task file, used instead of all that.

    Raises:
      InputError: no face, none that is one to the pose encoder, a face cut off, or a useless face model file.
    """
    if face_model is not None:
        box = _by_landmarks(image, name, face_model)
        _check_shown(image, box, name)
        return box
    refused = None
    for faces in _looks(image):
        for face in faces:
            box = dataclasses.replace(_crop_of(face), faces=len(faces))
            try:
                if pose_of is not None:
                    _check_upright(image, box, face.score, pose_of, resolution, name)
                _check_shown(image, box, name)
                return box
            except InputError as error:
                refused = refused or error
    raise refused or InputError(
        f"{name}: no face was found; give an image with one unobstructed face looking roughly at the camera and at "
        f"least {2 * _SMALLEST} pixels wide, or a MediaPipe face landmarker with --face_model"
    )


def _check_upright(
    image: UInt8[np.ndarray, "h w 3"], box: FaceBox, score: float, pose_of: PoseOf, resolution: int, name: str
) -> None:
    """InputError where the pose encoder does not see one upright head."""
    follows = _follows(image, box, pose_of, resolution)
    if not score + _SHARE_OF_FOLLOWING * follows >= _LEAST_SUM:
        raise InputError(
            f"{name}: what looks most like a face, about {box.x:.0f},{box.y:.0f}, is none to the face model (surety "
            f"{score:.2f}, moves with the head by {follows:.2f} of 1); give an image with one clearly visible face"
        )


def _follows(image: UInt8[np.ndarray, "h w 3"], box: FaceBox, pose_of: PoseOf, resolution: int) -> float:
    """How far the pose that is read moves with the crop, in place, size and roll: 1 wholly, about 0 where no head is.

    The mean of four differences of what the encoder reads off two crops, each over how far those lie apart.
    """
    right, down = axes(box.tilt)

    def read(x: float = 0, y: float = 0, zoom: float = 1, turn: float = 0) -> Float[np.ndarray, " 7"]:
        at = [box.x, box.y] + box.half * (x * right + y * down)
        moved = dataclasses.replace(box, x=float(at[0]), y=float(at[1]), half=box.half * zoom, tilt=box.tilt + turn)
        return np.asarray(pose_of(cut(image, moved, resolution).astype(np.float32) / 255))

    gains = [
        (read(x=-_NUDGE)[3] - read(x=_NUDGE)[3]) / (2 * _NUDGE),
        (read(y=-_NUDGE)[4] - read(y=_NUDGE)[4]) / (2 * _NUDGE),
        np.log(max(read(zoom=1 / _ZOOM)[6], 1e-3) / max(read(zoom=_ZOOM)[6], 1e-3)) / (2 * np.log(_ZOOM)),
        (read(turn=-_TURN)[2] - read(turn=_TURN)[2]) / np.radians(2 * _TURN),
    ]
    return float(np.clip(gains, -1, 1).mean())


def _check_shown(image: UInt8[np.ndarray, "h w 3"], box: FaceBox, name: str) -> None:
    """InputError where too much of the face lies beyond the image."""
    face = landmarks.template()[landmarks.SLICES["oval"], :2]
    low, high = face.min(0), face.max(0)
    grid = np.stack(np.meshgrid(*np.linspace(low, high, 41).T), -1).reshape(-1, 2)
    right, down = axes(box.tilt)
    x, y = ([box.x, box.y] + box.half * (grid[:, :1] * right + grid[:, 1:] * down)).T
    shown = np.mean((x >= 0) & (x <= image.shape[1]) & (y >= 0) & (y <= image.shape[0]))
    if shown < _LEAST_SHOWN:
        raise InputError(
            f"{name}: only {100 * shown:.0f} % of the face is in the image; give one that shows it from the forehead "
            "to the chin and to both ears"
        )


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
    turns = [90 * round(box.tilt / 90) for box in boxes]
    turn = max(turns, key=turns.count)
    boxes = [box for box, its in zip(boxes, turns, strict=True) if its == turn]
    x, y, half = np.median([(box.x, box.y, box.half) for box in boxes], axis=0)
    return dataclasses.replace(boxes[0], x=float(x), y=float(y), half=float(half), tilt=float(turn))


def axes(tilt: float) -> tuple[np.ndarray, np.ndarray]:
    """Where right and down of a crop so turned point in the image."""
    c, s = np.cos(np.radians(tilt)), np.sin(np.radians(tilt))
    return np.asarray([c, s]), np.asarray([-s, c])


# ---------------------------------------------------------------- BlazeFace


def _looks(image: UInt8[np.ndarray, "h w 3"]) -> Iterator[list[blaze_face.Detection]]:
    """The faces that one look after the other finds, the largest first; a look is closer than the one before."""
    for windows in _LOOKS:
        if windows is not _LOOKS[0] and windows[0] * max(image.shape[:2]) < _FINEST:
            return
        seen = [face for turn in range(4) for face in blaze_face.detect(image, windows, turn)]
        faces: list[blaze_face.Detection] = []
        for place in _apart(sorted(seen, key=lambda face: -face.score))[:_MOST_PLACES]:
            face = _second_look(image, place)
            if face is not None and face.score >= _LEAST_SCORE and _width(face) >= _SMALLEST:
                faces.append(face)
        faces = _apart(sorted(faces, key=_width, reverse=True))
        if faces:
            yield faces


def _apart(faces: list[blaze_face.Detection]) -> list[blaze_face.Detection]:
    """Without those whose middle lies in one before."""
    kept: list[blaze_face.Detection] = []
    for face in faces:
        if all(np.abs(_middle(face) - _middle(other)).max() > _width(other) / 2 for other in kept):
            kept.append(face)
    return kept


def _second_look(image: UInt8[np.ndarray, "h w 3"], place: blaze_face.Detection) -> blaze_face.Detection | None:
    """What is seen there in that of the four turns in which it is surest, the mean over windows of several sizes."""
    first = {turn: face for turn in range(4) if (face := _seen_at(image, place, _REACHES[0], turn)) is not None}
    surest = max((face.score for face in first.values()), default=0.0)
    if surest < _LEAST_GLANCE:
        return None
    best = None
    for turn, glance in first.items():
        if glance.score < surest - _RIVALS:
            continue
        more = [_seen_at(image, place, reach, turn) for reach in _REACHES[1:]]
        readings = [face for face in (glance, *more) if face is not None]
        score = sum(face.score for face in readings) / len(_REACHES)
        if best is None or score > best.score:
            box, points = (np.mean([getattr(face, name) for face in readings], axis=0) for name in ("box", "points"))
            best = blaze_face.Detection(score, box, points, turn)
    return best


def _seen_at(
    image: UInt8[np.ndarray, "h w 3"], place: blaze_face.Detection, reach: float, turn: int
) -> blaze_face.Detection | None:
    """The surest face there that stands in that turn, through a window `reach` times as wide as the place."""
    corner = np.maximum(np.floor(_middle(place) - reach * _width(place) / 2), 0).astype(int)
    end = np.ceil(_middle(place) + reach * _width(place) / 2).astype(int)
    part = image[corner[1] : end[1], corner[0] : end[0]]
    for face in blaze_face.detect(part, (1.0,), turn, _LEAST_LOOK):
        face = face.moved(corner)
        if _stands(face) and len(_apart([place, face])) == 1:
            return face
    return None


def _stands(face: blaze_face.Detection) -> bool:
    """Whether eyes, nose and mouth lie below each other in the turn in which the face was seen."""
    eyes, nose, mouth = face.points[:2].mean(0), face.points[2], face.points[3]
    _, down = axes(90.0 * face.turn + _roll(face))
    return bool(abs(_roll(face)) <= _MOST_ROLL and 0 < (nose - eyes) @ down < (mouth - eyes) @ down)


def _roll(face: blaze_face.Detection) -> float:
    """Degrees, clockwise, by which the line of the eyes is off the turn in which the face was seen."""
    x, y = face.points[1] - face.points[0]
    return float((np.degrees(np.arctan2(y, x)) - 90 * face.turn + 180) % 360 - 180)


def _middle(face: blaze_face.Detection) -> Float[np.ndarray, " 2"]:
    return (face.box[:2] + face.box[2:]) / 2


def _width(face: blaze_face.Detection) -> float:
    return float(face.box[2] - face.box[0])


def _crop_of(face: blaze_face.Detection) -> FaceBox:
    eyes, nose, mouth, roll = face.points[:2].mean(0), face.points[2], face.points[3], _roll(face)
    _, down = axes(90.0 * face.turn + roll)
    x, y = eyes + _TO_MOUTH * (mouth - eyes) + _TO_NOSE * (nose - eyes) + _DOWN * _width(face) * down
    tilt = 90.0 * face.turn + (5.0 * round(roll / 5) if abs(roll) > _UPRIGHT else 0.0)
    tilt = (tilt + 180) % 360 - 180 if tilt != 180 else tilt
    return FaceBox(float(x), float(y), _HALF * _width(face), tilt, "blaze_face")


# ---------------------------------------------------------------- landmarks


_landmarker = functools.cache(functools.partial(face_landmarker.open_landmarker, num_faces=5))


def _by_landmarks(image: UInt8[np.ndarray, "h w 3"], name: str, face_model: PathLike) -> FaceBox:
    import_path = str(check_file(face_model, "a MediaPipe face landmarker task file"))
    landmarker = _landmarker(import_path)
    height, width = image.shape[:2]
    scale = max(1.0, 700 / min(height, width))  # it misses faces in small images
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC) if scale > 1 else image
    faces = face_landmarker.points_of(face_landmarker.look(landmarker, large))
    if not len(faces):
        raise InputError(f"{name}: no face was found with {face_model}; give an image with one clearly visible face")
    poses = landmarks.fit_pose(landmarks.from_mediapipe(faces * np.asarray([width, height, width], np.float32)))
    pose = poses[np.argmax(poses[:, 6])]
    return FaceBox(float(pose[3]), float(pose[4]), float(pose[6]), 0.0, "landmarks", len(faces))
