"""Numbers that tell a useful clip from a useless one: sharpness, jitter of the track, loudness, audio in step.

All are plain signal measures with plain names. The limits stand in `filters`, beside what they drop of real speech.
"""

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines import schema
from data_pipelines.prepare import crops
from vasa_jax import landmarks

SHARPNESS_SIDE = 128
MAX_LAG = 15
"""Frames either way (0.6 s) in which the audio's place is looked for."""
_IN_STEP = slice(MAX_LAG - 3, MAX_LAG + 4)
_FLOOR_DB = -100.0
_SPAN_DB = 40.0  # loudness is read down to this much below the loudest frame: beneath it there is only noise


def sharpness(image: UInt8[np.ndarray, "s s 3"]) -> float:
    """How much of a stored image's contrast is fine detail, at 128 pixels a face: its Laplacian against itself."""
    inner = round(image.shape[0] / schema.MARGIN)
    start = (image.shape[0] - inner) // 2
    grey = cv2.cvtColor(image[start : start + inner, start : start + inner], cv2.COLOR_RGB2GRAY)
    if inner != SHARPNESS_SIDE:
        way = cv2.INTER_AREA if inner > SHARPNESS_SIDE else cv2.INTER_CUBIC
        grey = cv2.resize(grey, (SHARPNESS_SIDE, SHARPNESS_SIDE), interpolation=way)
    grey = grey.astype(np.float32)
    return float(np.sqrt(cv2.Laplacian(grey, cv2.CV_32F).var() / max(grey.var(), 1.0)))


def outside(box: crops.CropBox, width: int, height: int) -> float:
    """Share of the inner crop that lies beyond the edges of an image of that size: it is filled with edge pixels."""
    x = min(box.x + box.half, width) - max(box.x - box.half, 0)
    y = min(box.y + box.half, height) - max(box.y - box.half, 0)
    return 1 - max(x, 0.0) * max(y, 0.0) / (2 * box.half) ** 2


def jitter(pose: Float[np.ndarray, "t 7"]) -> tuple[float, float]:
    """How much the track trembles: (degrees, share of half a crop).

    Second differences leave out what moves evenly; a head cannot reverse its course from frame to frame. Of white noise
    the result is its standard deviation.
    """
    if len(pose) < 3:
        return 0.0, 0.0
    pose = np.unwrap(pose.astype(np.float64), axis=0) if np.abs(pose[:, :3]).max() > 3 else pose.astype(np.float64)
    # The median of |x| is 0.6745 standard deviations; the second difference of white noise has sqrt(6) of them.
    noise = np.median(np.abs(np.diff(pose, 2, axis=0)), axis=0) / (0.6745 * np.sqrt(6))
    return float(np.degrees(noise[:3].max())), float(noise[3:5].max())


def loudness(audio: Float[np.ndarray, " s"]) -> Float[np.ndarray, " t"]:
    """Level of every frame's audio in dB below full scale."""
    power = np.square(audio.reshape(-1, schema.SAMPLES_PER_FRAME).astype(np.float64)).mean(1)
    return 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DB / 10)))


def audio(audio: Float[np.ndarray, " s"]) -> dict[str, float]:
    """`level`: of the loud parts (95th percentile), dB; `level_range`: from there down to the 10th percentile, dB.

    Speech rises and falls with every syllable; music and noise keep their level.
    """
    level = loudness(audio)
    loud = float(np.percentile(level, 95))
    return {"level": loud, "level_range": loud - float(np.percentile(level, 10))}


def sync_curve(points: Float[np.ndarray, "t k 3"], audio: Float[np.ndarray, " s"]) -> Float[np.ndarray, " l"]:
    """Correlation of the changes of mouth opening with those of loudness, for lags -MAX_LAG..MAX_LAG frames.

    At a positive lag the mouth moves later than the audio. Zeros where the clip is too short or one of them is still.
    """
    opening = np.diff(_smooth(landmarks.mouth(points)[:, 0].astype(np.float64)))
    level = loudness(audio)
    level = np.diff(_smooth(np.maximum(level, level.max() - _SPAN_DB)))
    count = len(opening)
    curve = np.zeros(2 * MAX_LAG + 1)
    if count < 3 * MAX_LAG:
        return curve
    for k, lag in enumerate(range(-MAX_LAG, MAX_LAG + 1)):
        a, b = opening[max(lag, 0) : count + min(lag, 0)], level[max(-lag, 0) : count + min(-lag, 0)]
        a, b = a - a.mean(), b - b.mean()
        scale = a.std() * b.std()
        curve[k] = (a * b).mean() / scale if scale > 1e-9 else 0.0
    return curve


def out_of_step(curve: Float[np.ndarray, " l"]) -> tuple[float, int]:
    """(by how much another lag fits better than the best within 3 frames, that lag); (0, lag) where none does."""
    return float(curve.max() - curve[_IN_STEP].max()), int(np.argmax(curve)) - MAX_LAG


def _smooth(values: np.ndarray) -> np.ndarray:
    return np.convolve(np.pad(values, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
