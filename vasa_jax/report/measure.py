"""What a finished talking-face video shows, frame by frame: loudness of its audio, opening of its mouth, lids, head."""

import dataclasses
from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax import media
from vasa_jax.inference.renderer import FaceRenderer
from vasa_jax.paths import PathLike

QUIET, FLOOR = -35.0, -60.0
"""Decibels below the loudest frame: under QUIET a frame counts as a pause, FLOOR is where the scale ends."""
_NEAR = 4  # frames: what is this close to a change between audio and pause counts as neither


@dataclasses.dataclass(frozen=True)
class Readings:
    """One value a frame.

    Attributes:
      loudness: decibels below the loudest frame, FLOOR..0.
      mouth: gap between the inner lips as a share of the face's height.
      lids: closure 0..1, mean of both eyes.
      turn, nod, tilt: of the head in degrees, + is to the image's right, down, clockwise.
    """

    loudness: Float[np.ndarray, " t"]
    mouth: Float[np.ndarray, " t"]
    lids: Float[np.ndarray, " t"]
    turn: Float[np.ndarray, " t"]
    nod: Float[np.ndarray, " t"]
    tilt: Float[np.ndarray, " t"]

    def __len__(self) -> int:
        return len(self.mouth)


def loudness(samples: Float[np.ndarray, " n"], frames: int) -> Float[np.ndarray, " t"]:
    """Root mean square of each frame's 40 ms in decibels below the loudest one, not under FLOOR."""
    wanted = frames * media.SAMPLES_PER_FRAME
    samples = np.pad(samples[:wanted], (0, max(0, wanted - len(samples)))).astype(np.float64)
    power = np.square(samples).reshape(frames, -1).mean(1)
    peak = power.max(initial=0.0)
    if peak <= 0:
        return np.full(frames, FLOOR, np.float32)
    return np.maximum(10 * np.log10(np.maximum(power / peak, 1e-12)), FLOOR).astype(np.float32)


@dataclasses.dataclass(frozen=True)
class Clip:
    """A short video in memory: its frames, its audio as 16 kHz mono, and what was read off them."""

    frames: list[UInt8[np.ndarray, "h w 3"]]
    samples: Float[np.ndarray, " n"]
    readings: Readings


def read_video(path: PathLike, renderer: FaceRenderer) -> Clip:
    """Measures a finished video by the face model's own encoders.

    The frames must be the crop that the model knows, as `Video.save` writes them.
    """
    frames = list(media.VideoReader(path))
    motion = np.stack(list(renderer.motion(_resized(frames, renderer.size))))
    labels = renderer.labels(motion[:, 7:])
    audio = np.concatenate(list(media.AudioReader(path).mono()))
    # The nose points to -z: turned by + about y it goes to the image's left, by + about x it goes down.
    degrees = np.degrees(motion[:, :3])
    readings = Readings(
        loudness=loudness(audio, len(frames)),
        mouth=labels["mouth"][:, 0],
        lids=labels["lids"].mean(1),
        turn=-degrees[:, 1],
        nod=degrees[:, 0],
        tilt=degrees[:, 2],
    )
    return Clip(frames, audio, readings)


def _resized(frames: list[np.ndarray], size: int) -> Iterator[np.ndarray]:
    for frame in frames:
        yield frame if frame.shape[0] == size else cv2.resize(frame, (size, size), interpolation=cv2.INTER_AREA)


def summary(readings: Readings) -> dict[str, float | None]:
    """The readings in a few numbers; None where the recording has nothing to tell them from.

    Returns:
      mouth_speaking, mouth_pausing: median opening away from the edges of audio and pause.
      follows: correlation of mouth opening with loudness, best of lags within two frames.
      turn_range, nod_range: between the 5th and the 95th percentile, degrees.
    """
    loud = readings.loudness > QUIET
    return {
        "mouth_speaking": _median(readings.mouth, _inside(loud)),
        "mouth_pausing": _median(readings.mouth, _inside(~loud)),
        "follows": correlation(readings.mouth, readings.loudness),
        "turn_range": float(np.ptp(np.percentile(readings.turn, (5, 95)))),
        "nod_range": float(np.ptp(np.percentile(readings.nod, (5, 95)))),
    }


def _median(values: np.ndarray, where: np.ndarray) -> float | None:
    return float(np.median(values[where])) if where.any() else None


def _inside(mask: np.ndarray) -> np.ndarray:
    """Frames whose neighbours within _NEAR frames are in the mask too."""
    padded = np.pad(mask, _NEAR, mode="edge")
    return np.logical_and.reduce([padded[i : i + len(mask)] for i in range(2 * _NEAR + 1)])


def correlation(a: Float[np.ndarray, " t"], b: Float[np.ndarray, " t"], lags: int = 2) -> float | None:
    """Pearson correlation at the best lag within `lags` frames; None where one of them is constant."""
    best = None
    for lag in range(-lags, lags + 1):
        x, y = a[max(lag, 0) : len(a) + min(lag, 0)], b[max(-lag, 0) : len(b) + min(-lag, 0)]
        if len(x) < 3 or np.std(x) < 1e-9 or np.std(y) < 1e-9:
            continue
        value = float(np.corrcoef(x, y)[0, 1])
        best = value if best is None or value > best else best
    return best
