"""Held-out clips and models with known behaviour, so that every number of a suite can be foretold."""

import dataclasses

import numpy as np
import pytest

from data_pipelines import schema
from experiments.evaluation.data import HeldOutClip
from experiments.evaluation.reading import Reading
from vasa_jax import landmarks

FRAMES, SIZE, CODE = 40, 32, 6


def make_clip(number: int, speaker: str = "s1") -> HeldOutClip:
    """Noise images whose first pixel holds the frame's number; a mouth that moves at random, one blink."""
    rng = np.random.default_rng(number)
    images = rng.integers(0, 255, (FRAMES, SIZE, SIZE, 3), np.uint8)
    images[:, 0, 0, 0], images[:, 0, 0, 1] = np.arange(FRAMES), number
    points = np.repeat(landmarks.template()[None], FRAMES, 0)
    labels = {name: np.zeros((FRAMES, *shape), dtype) for name, (shape, dtype) in schema.PER_FRAME.items()}
    labels["landmarks"], labels["pose"] = points, landmarks.fit_pose(points)
    labels["pose"][:, :3] = np.cumsum(rng.normal(0, 0.02, (FRAMES, 3)), 0)
    labels["mouth"][:, 0] = 0.05 + 0.02 * rng.random(FRAMES)
    labels["lids"][10:14] = [[0.5], [1.0], [1.0], [0.4]]
    labels["eyes"] = rng.normal(0, 0.1, (FRAMES, 2)).astype(np.float32)
    labels["gaze"] = labels["eyes"]
    labels["valid"][:] = True
    audio = rng.normal(0, 0.1, FRAMES * schema.SAMPLES_PER_FRAME).astype(np.float32)
    return HeldOutClip(f"{speaker}_{number}", speaker, images, audio, labels)


class FakeSplit:
    """Stands for `data.HeldOut`."""

    def __init__(self, clips, split="test"):
        self.clips, self.split = clips, split

    def clip(self, index):
        return self.clips[index]

    def main_speaker(self):
        return self.clips[0].speaker

    def tracks(self, speaker=None, count=0):
        return [clip for clip in self.clips if speaker in (None, clip.speaker)][: count or None]


class FakeFace:
    """A perfect model: the motion holds the truth (pose, mouth, lids, eyes); decoding gives the real frame back.

    Motion is the clip's labels; "latents" is the clip's number, read off its first image.
    """

    size = SIZE
    source = {"release": "fake"}

    def __init__(self, clips, gain=1.0):
        self.clips, self.gain = {int(c.images[0, 0, 0, 1]): c for c in clips}, gain

    def encode(self, image):
        return int(image[0, 0, 1])

    def motion(self, images):
        clip = self.clips[int(images[0, 0, 0, 1])]
        at = images[:, 0, 0, 0]
        parts = [clip.labels[name][at] for name in ("pose", "mouth", "lids", "eyes")]
        return np.concatenate(parts, -1)

    def decode(self, latents, motion):
        return self.clips[latents].images[np.arange(len(motion)) % FRAMES]

    def labels(self, motion):
        mouth, lids, eyes = np.split(motion[:, 7:], 3, -1)
        return {"mouth": mouth * self.gain, "lids": lids, "eyes": eyes}


@dataclasses.dataclass
class FakeReader:
    """Knows what the images of the clips show."""

    clips: dict
    name: str = "fake"

    def read(self, images, real=None):
        clip = self.clips[int(images[0, 0, 0, 1])]
        at = images[:, 0, 0, 0]
        return Reading(clip.labels["mouth"][at, 0], clip.labels["lids"][at], np.ones(len(at), bool))


@pytest.fixture
def clips():
    return [make_clip(0), make_clip(1), make_clip(2, "s2")]


@pytest.fixture
def face(clips):
    return FakeFace(clips)


@pytest.fixture
def reader(face):
    return FakeReader(face.clips)


@pytest.fixture
def split(clips):
    return FakeSplit(clips)
