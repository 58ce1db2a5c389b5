"""BlazeFace: boxes and six points of the faces in an image, in any size and turned by any right angle.

The network (Bazarevsky et al. 2019, arXiv:1907.05047; the short-range model of MediaPipe, which looks at 128 x 128
pixels) is run by OpenCV's own reader of TFLite files. What it says is relative to 896 anchors: two to each cell of a
16 x 16 grid, six to each cell of an 8 x 8 grid. It finds faces of about an eighth to three quarters of its window, so
it looks through windows of several sizes.
"""

import dataclasses
import functools
import importlib.resources

import cv2
import numpy as np
from jaxtyping import Float, Real, UInt8

SIDE = 128
"""Of the network's window in pixels."""
POINTS = ("right eye", "left eye", "nose", "mouth", "right ear", "left ear")
"""Of a face, in the network's order; right and left are the person's own."""
_GRIDS = ((16, 2), (8, 6))  # cells along a side, anchors in each
_OUTPUTS = "classificators", "regressors"
_OVERLAP = 0.3  # intersection over union from which two boxes are the same face


@dataclasses.dataclass(frozen=True)
class Detection:
    """A face in pixels of the image; `turn` is how many quarter turns clockwise the image was seen turned back."""

    score: float
    box: Float[np.ndarray, " 4"]
    """Left, top, right, bottom, in the image as it is."""
    points: Float[np.ndarray, "6 2"]
    turn: int = 0

    def moved(self, by: Real[np.ndarray, " 2"]) -> "Detection":
        """The same, in an image whose origin lies at -`by` of this one's."""
        return dataclasses.replace(self, box=self.box + np.tile(by, 2), points=self.points + by)


def detect(
    image: UInt8[np.ndarray, "h w 3"], windows: tuple[float, ...] = (1.0,), turn: int = 0, least: float = 0.5
) -> list[Detection]:
    """The faces that stand upright once the image is turned.

    Args:
      image: RGB.
      windows: sides of the square windows to look through, in longer sides of the image; those below 1 are laid
        over the image half overlapping.
      turn: by how many quarter turns the tops of the faces are turned clockwise.
      least: score below which nothing counts, 0 to 1.

    Returns:
      One for each face, the surest first.
    """
    turned = np.ascontiguousarray(np.rot90(image, turn))
    found = [part for window in windows for part in _through(turned, window, least)]
    if not found:
        return []
    scores, boxes, points = (np.concatenate(part) for part in zip(*found, strict=True))
    faces = []
    for score, corners, marks in _merged(scores, boxes, points):
        corners, marks = (_turned_back(place, image.shape[:2], turn) for place in (corners.reshape(2, 2), marks))
        box = np.concatenate([corners.min(0), corners.max(0)])
        faces.append(Detection(float(score), box, marks, turn))
    return sorted(faces, key=lambda face: -face.score)


@functools.cache
def _network() -> cv2.dnn.Net:
    data = importlib.resources.files("vasa_jax").joinpath("assets/blaze_face/blaze_face_short_range.tflite")
    return cv2.dnn.readNetFromTFLite(np.frombuffer(data.read_bytes(), np.uint8))


@functools.cache
def _anchors() -> Float[np.ndarray, "896 2"]:
    """Their centres, 0 to 1 in the window; all are as large as the window."""
    rows = []
    for cells, each in _GRIDS:
        y, x = np.mgrid[:cells, :cells]
        rows.append(np.repeat(np.stack([x, y], -1).reshape(-1, 2) + 0.5, each, axis=0) / cells)
    return np.concatenate(rows)


def _through(image: np.ndarray, window: float, least: float) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """(scores [n], boxes [n, 4], points [n, 6, 2]) in pixels of the image, for each place of the window."""
    scale = SIDE / (window * max(image.shape[:2]))
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    small = cv2.resize(image, (width, height), interpolation=way)
    left, top = max(0, SIDE - width) // 2, max(0, SIDE - height) // 2
    below, right = max(0, SIDE - height) - top, max(0, SIDE - width) - left
    small = cv2.copyMakeBorder(small, top, below, left, right, cv2.BORDER_CONSTANT, value=(0, 0, 0))
    ratio = np.asarray([image.shape[1] / width, image.shape[0] / height])
    found = []
    for y in _starts(small.shape[0]):
        for x in _starts(small.shape[1]):
            scores, boxes, points = _look(small[y : y + SIDE, x : x + SIDE])
            kept = scores >= least
            if kept.any():
                shift = np.asarray([x - left, y - top])
                boxes = (boxes[kept].reshape(-1, 2, 2) + shift) * ratio
                found.append((scores[kept], boxes.reshape(-1, 4), (points[kept] + shift) * ratio))
    return found


def _starts(length: int) -> np.ndarray:
    count = 1 + int(np.ceil((length - SIDE) / (SIDE / 2)))
    return np.linspace(0, length - SIDE, count).round().astype(int)


def _look(window: UInt8[np.ndarray, "128 128 3"]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(scores [896], boxes [896, 4], points [896, 6, 2]) in pixels of the window."""
    network = _network()
    network.setInput(cv2.dnn.blobFromImage(window, 1 / 127.5, (SIDE, SIDE), (127.5,) * 3))
    if len(network.getUnconnectedOutLayersNames()) == len(_OUTPUTS):
        logits, raw = network.forward(_OUTPUTS)
    else:  # OpenCV 5.0 takes the last for the only output; the other can still be asked for
        logits, raw = (network.forward(name) for name in _OUTPUTS)
    places = raw.reshape(-1, 8, 2).astype(np.float64)
    centres = _anchors() * SIDE
    middle, half = places[:, 0] + centres, places[:, 1] / 2
    scores = 1 / (1 + np.exp(-np.clip(logits.reshape(-1).astype(np.float64), -100, 100)))
    return scores, np.concatenate([middle - half, middle + half], -1), places[:, 2:] + centres[:, None]


def _merged(scores: np.ndarray, boxes: np.ndarray, points: np.ndarray):
    """(score, box, points) of each face: the best score, places averaged over all readings of it by score."""
    left = np.argsort(-scores)
    while len(left):
        first, same = left[0], overlap(boxes[left[0]], boxes[left]) > _OVERLAP
        same[0] = True
        weights = scores[left[same]]
        yield (
            scores[first],
            np.average(boxes[left[same]], axis=0, weights=weights),
            np.average(points[left[same]], axis=0, weights=weights),
        )
        left = left[~same]


def overlap(box: Float[np.ndarray, " 4"], boxes: Float[np.ndarray, "n 4"]) -> Float[np.ndarray, " n"]:
    """Intersection over union of a box with each of others."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    shared = np.prod(np.maximum(sides, 0), -1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], -1)
    return shared / np.maximum(np.prod(box[2:] - box[:2]) + areas - shared, 1e-9)


def _turned_back(places: np.ndarray, shape: tuple[int, int], turn: int) -> np.ndarray:
    """Places [n, 2] of the image turned by np.rot90, in the image itself."""
    height, width = shape
    x, y = places[:, 0], places[:, 1]
    return np.stack([(x, y), (width - y, x), (width - x, height - y), (y, height - x)][turn % 4], -1)
