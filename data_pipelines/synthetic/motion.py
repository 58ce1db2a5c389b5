"""Performs speech: what mouth, lids, eyes, brows and head do in each frame of a clip."""

import dataclasses
from collections.abc import Sequence

import numpy as np
import scipy.ndimage
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.synthetic import expression_basis
from data_pipelines.synthetic import phonemes as ph
from data_pipelines.synthetic.head import NECK, FrameState
from data_pipelines.synthetic.voice import Speech, tracks

_FINE = 8
"""Steps of the mouth's movement per video frame."""
_MOUTH = ("jaw", "round", "wide", "seal", "tuck", "tongue")
_SMOOTHING = (0.050, 0.055, 0.055, 0.024, 0.030, 0.030)
"""Standard deviation of the smoothing of each, seconds: lips close faster than jaws move."""
_LEAD = 0.03
"""Seconds by which the mouth shapes a sound before it is heard."""
_EMOTION = {
    "anger": {"brow_down": 1.0, "lower_lids": 0.35, "frown": 0.35, "upper_lip": 0.15},
    "contempt": {"smile": 0.25, "lower_lids": 0.5, "brow_down": 0.25},
    "disgust": {"upper_lip": 0.7, "brow_down": 0.6, "lower_lids": 0.5, "frown": 0.4, "cheeks": 0.3},
    "fear": {"brow_inner": 0.9, "brow_up": 0.4, "lids": -0.22, "wide": 0.4},
    "happiness": {"smile": 1.0, "lower_lids": 0.6, "cheeks": 0.4},
    "sadness": {"brow_inner": 1.0, "frown": 0.9, "lids": 0.18},
    "surprise": {"brow_up": 1.1, "lids": -0.28, "jaw": 0.08},
}
_GRIN = {"wide": 0.8, "upper_lip": 1.8, "jaw": 0.12}
GRINS = 0.8
"""Share of happy clips that smile with parted lips all the time, as people do in portraits."""
BLINK = np.array([0.35, 0.92, 1.0, 0.78, 0.40, 0.12])
"""Closure in the frames of a blink."""


@dataclasses.dataclass(frozen=True)
class Performance:
    """Motion of a clip: arrays over frames, and the emotion [8] that holds for the clip."""

    expression: Float[np.ndarray, "t e"]
    tongue: Float[np.ndarray, " t"]
    rotation: Float[np.ndarray, "t 3"]
    translation: Float[np.ndarray, "t 3"]
    scale: Float[np.ndarray, " t"]
    gaze: Float[np.ndarray, "t 2"]
    emotion: Float[np.ndarray, " 8"]
    body: Float[np.ndarray, " 3"]

    def state(self, i: int) -> FrameState:
        """What the head does in frame i."""
        return FrameState(
            expression=self.expression[i],
            rotation=self.rotation[i],
            translation=self.translation[i],
            scale=float(self.scale[i]),
            gaze=self.gaze[i],
            body=self.body,
            tongue=float(self.tongue[i]),
        )


def drift(
    rng: np.random.Generator, frames: int, channels: int, slowest: float, fastest: float
) -> Float[np.ndarray, "t c"]:
    """Smooth noise of about unit variance with periods between 1/fastest and 1/slowest seconds."""
    count = 6
    f = np.exp(rng.uniform(np.log(slowest), np.log(fastest), (count, channels)))
    t = np.arange(frames)[:, None, None] / schema.FRAME_RATE
    return np.sin(2 * np.pi * (f * t + rng.random((count, channels)))).sum(1) * np.sqrt(2 / count)


def coarticulate(
    speech: Speech, frames: int, table: np.ndarray, smoothing: Sequence[float]
) -> Float[np.ndarray, "t c"]:
    """Values per phoneme, table [p, c], as they blend into each other: per frame, sampled at the frame's middle.

    smoothing: of each column, standard deviation in seconds.
    """
    rate = schema.FRAME_RATE * _FINE
    times = np.arange(frames * _FINE) / rate + _LEAD
    numbers = np.array([s[0] for s in speech.segments])[tracks(speech.segments, times)]
    numbers = np.where(times < speech.segments[-1][2], numbers, 0)
    smooth = [
        scipy.ndimage.gaussian_filter1d(column[numbers], sigma * rate, mode="nearest")
        for column, sigma in zip(table.T, smoothing, strict=True)
    ]
    return np.stack([s[_FINE // 2 :: _FINE] for s in smooth], -1)


def mouth_tracks(speech: Speech, frames: int) -> dict[str, np.ndarray]:
    """Strength of each mouth shape per frame [t], sampled at the frame's middle."""
    table = np.array([[getattr(p, name) for name in _MOUTH] for p in ph.PHONEMES.values()])
    out = dict(zip(_MOUTH, coarticulate(speech, frames, table, _SMOOTHING).T, strict=True))
    # A closure shorter than a frame still shows: lips that meet, meet.
    out["seal"] = np.clip(out["seal"] * 1.55 - 0.15, 0, 1)
    return out


def loudness_of(speech: Speech, frames: int) -> Float[np.ndarray, " t"]:
    """Loudness per frame, smoothed, as a share of the loudest frame's."""
    audio = schema.fit_audio(speech.audio, frames).reshape(frames, -1)
    level = np.sqrt(np.square(audio).mean(-1))
    return scipy.ndimage.gaussian_filter1d(level / (level.max() + 1e-6), 2.5)


def sample_emotion(rng: np.random.Generator) -> Float[np.ndarray, " 8"]:
    """Coefficients in the order of `schema.EMOTIONS`, summing to 1; mostly neutral, or one or two feelings."""
    emotion = np.zeros(8)
    names = [n for n in schema.EMOTIONS if n != "neutral"]
    if rng.random() < 0.65:
        weights = np.array([1, 0.6, 0.7, 0.8, 5, 1, 1])
        first, second = rng.choice(len(names), 2, replace=False, p=weights / weights.sum())
        emotion[schema.EMOTIONS.index(names[first])] = rng.uniform(0.25, 1)
        if rng.random() < 0.25:
            emotion[schema.EMOTIONS.index(names[second])] = rng.uniform(0, 1 - emotion.sum())
    emotion[schema.EMOTIONS.index("neutral")] = 1 - emotion.sum()
    return emotion


def blinks(rng: np.random.Generator, frames: int) -> Float[np.ndarray, " t"]:
    """Closure by blinks: a Poisson process with a dead time, about one in three seconds."""
    closure = np.zeros(frames + len(BLINK))
    at = int(rng.exponential(2.2) * schema.FRAME_RATE)
    while at < frames:
        closure[at : at + len(BLINK)] = np.maximum(closure[at : at + len(BLINK)], BLINK)
        at += len(BLINK) + int((1.0 + rng.exponential(2.2)) * schema.FRAME_RATE)
    return closure[:frames]


def _gaze(rng: np.random.Generator, rotation: np.ndarray) -> np.ndarray:
    """Fixations about a direction of the clip, jumps between them; the eyes stay within their range in the head."""
    frames = len(rotation)
    base = rng.normal(0, 1, 2) * [0.28, 0.14] * (rng.random() > 0.45)
    gaze, at = np.zeros((frames, 2)), 0
    while at < frames:
        hold = int(rng.uniform(0.25, 2.0) * schema.FRAME_RATE) + 1
        gaze[at : at + hold] = base + rng.normal(0, 1, 2) * [0.09, 0.05] * (rng.random() < 0.8)
        at += hold
    jump = np.array([0.25, 0.55, 0.2])
    gaze = scipy.ndimage.convolve1d(gaze, jump, axis=0, mode="nearest")
    head = Rotation.from_euler("xyz", rotation).as_matrix()
    inside = schema.gaze_angles(np.einsum("tji,tj->ti", head, schema.gaze_direction(gaze)))
    inside = np.array([0.50, 0.32]) * np.tanh(inside / [0.50, 0.32])
    return schema.gaze_angles(np.einsum("tij,tj->ti", head, schema.gaze_direction(inside)))


def _head(
    rng: np.random.Generator, frames: int, loudness: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Rotation [t, 3], translation [t, 3], scale [t] and the shoulders' rotation [3]."""
    base = rng.normal(0, 1, 3) * [0.10, 0.24, 0.06]
    if rng.random() < 0.15:
        base[1] = rng.uniform(-0.62, 0.62)
    lively = np.exp(rng.normal(-0.2, 0.5))
    rotation = base + lively * np.array([0.045, 0.07, 0.035]) * drift(rng, frames, 3, 0.1, 0.7)
    accent = scipy.ndimage.gaussian_filter1d(loudness, 2.0) - scipy.ndimage.gaussian_filter1d(loudness, 12.0)
    rotation[:, 0] += rng.uniform(0.05, 0.28) * accent * lively
    rotation[:, 2] += rng.normal(0, 0.06) * accent
    rotation = np.clip(rotation, [-0.5, -0.75, -0.5], [0.5, 0.75, 0.5])
    scale = np.exp(np.clip(rng.normal(0, 0.12), -0.3, 0.3) + 0.012 * lively * drift(rng, frames, 1, 0.08, 0.4)[:, 0])
    matrix = Rotation.from_euler("xyz", rotation).as_matrix()
    translation = scale[:, None] * (NECK - matrix @ NECK) + 0.02 * lively * drift(rng, frames, 3, 0.08, 0.5) * [
        1,
        0.6,
        0.3,
    ]
    return rotation, translation, scale, base * [0.15, 0.45, 0.15]


def perform(speech: Speech, frames: int, rng: np.random.Generator) -> Performance:
    """Animates a clip of `frames` frames that begins with the speech."""
    shapes = mouth_tracks(speech, frames)
    loudness = loudness_of(speech, frames)
    emotion = sample_emotion(rng)
    effort = np.exp(rng.normal(-0.05, 0.25))
    happiness = emotion[schema.EMOTIONS.index("happiness")]
    grin = min(1.3 * happiness, 1.0) if rng.random() < GRINS else 0.0  # a smile that shows the teeth
    shapes["seal"] = shapes["seal"] * (1 - grin * np.clip(1 - loudness / 0.05, 0, 1))  # it stays in pauses
    rotation, translation, scale, body = _head(rng, frames, loudness)
    gaze = _gaze(rng, rotation)
    strength = {name: np.zeros(frames) for name in (*expression_basis.NAMES, "lids")}
    free = 1 - shapes["seal"]
    strength["jaw"] += np.clip(shapes["jaw"] * effort, 0.0, 0.85)
    strength["round"] += shapes["round"]
    strength["wide"] += shapes["wide"]
    strength["tuck"] += shapes["tuck"] * free
    strength["upper_lip"] += 0.35 * shapes["wide"] * free + 0.15 * shapes["tuck"]
    for name, coefficient in zip(schema.EMOTIONS, emotion, strict=True):
        for target, amount in _EMOTION.get(name, {}).items():
            sway = 1 + 0.2 * drift(rng, frames, 1, 0.1, 0.6)[:, 0]
            strength[target] = strength[target] + amount * coefficient * sway
    for target, amount in _GRIN.items():
        strength[target] = strength[target] + amount * grin
    strength["upper_lip"] *= free
    strength["seal"] = strength["jaw"] * np.clip(shapes["seal"], 0, 1)
    accent = np.clip(loudness - scipy.ndimage.gaussian_filter1d(loudness, 12.0), 0, None)
    strength["brow_up"] += 0.12 * drift(rng, frames, 1, 0.1, 0.6)[:, 0] + rng.uniform(0, 1.2) * accent
    head = Rotation.from_euler("xyz", rotation).as_matrix()
    eyes = schema.gaze_angles(np.einsum("tji,tj->ti", head, schema.gaze_direction(gaze)))
    rest = strength["lids"] + rng.uniform(-0.06, 0.16) - 0.55 * np.clip(eyes[:, 1], -0.5, 0.15)
    closing = blinks(rng, frames)
    for name in ("lid_left", "lid_right"):
        strength[name] = np.clip(rest, -0.3, 0.8) * (1 - closing) + closing
    strength["lower_lids"] *= 1 - closing  # a closed eye has no gap to narrow
    expression = np.stack([strength[name] for name in expression_basis.NAMES], -1)
    return Performance(expression, shapes["tongue"], rotation, translation, scale, gaze, emotion, body)
