"""Talking heads of a few rectangles, with audio in step, long enough to be clips."""

import numpy as np
import pytest

from data_pipelines.prepare import tracking
from tests.data_pipelines.conftest import mesh_of, write_video
from vasa_jax import landmarks

WIDTH, HEIGHT = 128, 96
CENTRE, SCALE = (64.0, 46.0, 5.0), 30.0


def speech(t: int, seed: int) -> np.ndarray:
    """[t] how far the mouth is open: syllables of a few frames, and pauses."""
    rng = np.random.default_rng(seed)
    opening = np.convolve(rng.random(t + 8) ** 3, np.hanning(5), "same")[4 : t + 4]
    return np.clip(opening * (np.sin(np.arange(t) / 6 + seed) > -0.6), 0, 1)


def face_points(opening: np.ndarray, at: tuple[float, float, float] = CENTRE, scale: float = SCALE) -> np.ndarray:
    """[t, K, 3] points in pixels of a still head whose lower lip goes down."""
    points = np.repeat(landmarks.template()[None], len(opening), 0).copy()
    lower = [k for k, index in enumerate(landmarks.MEDIAPIPE_INDICES) if index in (14, 17, 87, 317)]
    points[:, lower, 1] += 0.15 * opening[:, None]
    return (points * scale + np.asarray(at)).astype(np.float32)


def audio_of(opening: np.ndarray, seed: int, rate: int = 44_100, shift: int = 0) -> np.ndarray:
    """Noise as loud as the mouth is open, `shift` frames late."""
    rng = np.random.default_rng(seed)
    level = np.repeat(np.roll(opening, shift), rate // 25)
    return (0.002 + 0.2 * level) * rng.normal(0, 1, len(level))


def images_of(opening: np.ndarray, seed: int) -> np.ndarray:
    """[t, h, w, 3] a box for a head on a patterned wall, a dark box for a mouth."""
    rng = np.random.default_rng(seed)
    wall = np.kron(rng.integers(40, 120, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    images = np.repeat(wall[None], len(opening), 0)
    images[:, 20:80, 38:90] = rng.integers(150, 220, 3)
    images[:, 36:40, 50:56] = images[:, 36:40, 72:78] = 30
    for image, value in zip(images, opening, strict=True):
        image[60 : 62 + round(6 * value), 56:72] = 60
    return images


class Head:
    """A made video: writes the file and the track beside it."""

    def __init__(self, root):
        self.root = root
        self.tracks = root / "tracks"
        self.tracks.mkdir(parents=True)

    def write(self, name: str, seconds: float = 3.0, seed: int = 0, shift: int = 0, path=None, **track):
        """A video ROOT/videos/SPEAKER/CLIP.mp4 for the name SPEAKER_CLIP; `track` replaces fields of its Track."""
        t = round(25 * seconds)
        opening = speech(t, seed)
        path = path or self.root / "videos" / name.split("_")[0] / f"{name.split('_')[1]}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_video(path, images_of(opening, seed), audio_of(opening, seed, shift=shift))
        fields = {
            "points": mesh_of(face_points(opening)),
            "blendshapes": np.zeros((t, tracking.BLENDSHAPES), np.float32),
            "valid": np.ones(t, bool),
        }
        tracking.Track(**(fields | track)).save(self.tracks / f"{name}.npz")
        return path


@pytest.fixture
def heads(tmp_path) -> Head:
    return Head(tmp_path / "heads")
