"""The procedural part of the motion suite, on a motion model that obeys by a known share."""

import json

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.synthetic import phonemes
from experiments.evaluation import synthetic, tables, talking_heads, talking_heads_tables
from tests.experiments.evaluation.conftest import FRAMES, FakeSplit
from vasa_jax.metrics import ridge

SCALE = synthetic.DistanceScale(0.05, 0.1)
CODE = 14  # mouth 2, lids 2, eyes 2, emotion 8


class Obedient:
    """Looks where it is told, stands half as near, smiles with 0.7 of what is asked; the mouth is the truth's."""

    def __init__(self, clips):
        self.clips, self.asked = clips, []

    def windows(self, chunks, frames, *, gaze=(0, 0), distance=0.0, emotion=0.0, **how):
        self.asked.append(how)
        audio = next(iter(chunks))
        clip = next(c for c in self.clips if np.array_equal(c.audio, audio))
        motion = np.zeros((frames, 7 + CODE), np.float32)
        motion[:, 6] = np.exp(0.5 * distance * SCALE.std + SCALE.mean)
        motion[:, 7:9], motion[:, 9:11], motion[:, 11:13] = clip.labels["mouth"], clip.labels["lids"], gaze
        motion[:, 13:] = 0.7 * np.asarray(emotion)
        yield motion


class Face:
    """Encodes the truth."""

    def __init__(self, clips):
        self.clips = {int(c.images[0, 0, 0, 1]): c for c in clips}

    def motion(self, images):
        clip, at = self.clips[int(images[0, 0, 0, 1])], images[:, 0, 0, 0]
        parts = [clip.labels[name][at] for name in ("pose", "mouth", "lids", "eyes", "emotion")]
        return np.concatenate(parts, -1)

    def labels(self, motion):
        mouth, lids, eyes, _ = np.split(motion[:, 7:], (2, 4, 6), -1)
        return {"mouth": mouth, "lids": lids, "eyes": eyes}


@pytest.fixture
def report(clips):
    rng = np.random.default_rng(0)
    for clip in clips:
        clip.labels["phonemes"] = rng.integers(0, len(phonemes.NAMES), FRAMES)
        clip.labels["emotion"][:] = rng.uniform(0, 1, 8)
    feelings = ridge.RidgeRegression(np.eye(CODE)[:, 6:], np.zeros(CODE), 0.0)
    mouth = talking_heads.learn_mouth(FakeSplit(clips, "train"))
    motion = Obedient(clips)
    suite = talking_heads.HeadsSuite(Face(clips), motion, SCALE, feelings, mouth, {"steps": 2, "seed": 0})
    report = suite.run(FakeSplit(clips), [0, 1, 2])
    assert {"audio": 0.5, "gaze": 1.0, "distance": 1.0} in [how.get("guidance") for how in motion.asked]
    return report


def test_every_sound_has_one_viseme():
    assert sorted(sum(talking_heads.VISEMES.values(), ())) == sorted(phonemes.NAMES)


def test_what_is_obeyed_and_by_how_much(report, capsys):
    asked = report["asked"]
    assert asked["gaze_degrees"]["mean"] == pytest.approx(0, abs=1e-3) and asked["gaze_gain"] == pytest.approx(1)
    assert asked["gaze_degrees_ignored"]["mean"] > 8
    assert asked["distance"]["gain"] == pytest.approx(0.5) and asked["distance"]["log_scale"]["mean"] == pytest.approx(
        0.05
    )
    assert asked["happiness"]["gain"]["mean"] == pytest.approx(0.7) and asked["happiness"]["right_sign"] == 1.0
    json.dumps(tables.plain(report), allow_nan=False)
    talking_heads_tables.show(report)
    assert "lips closed" in capsys.readouterr().out


def test_the_mouth_by_viseme(report):
    assert sum(row["frames"] for row in report["visemes"].values()) == 3 * FRAMES
    for row in report["visemes"].values():
        assert row["generated"]["error"] == pytest.approx(0, abs=1e-6)
        assert row["wrong audio"]["error"] > 0.001
    assert report["mouth"]["generated"]["correlation"]["mean"] == pytest.approx(1)
    assert report["mouth"]["wrong audio"]["correlation"]["mean"] < 0.5


def test_liveliness_beside_the_truth(report):
    alive = report["alive"]
    assert alive["blinks_per_minute"]["generated"] == alive["blinks_per_minute"]["truth"] > 0
    # The made heads stand still, and their mouths move as the true ones do.
    assert np.all(np.asarray(alive["velocity"]["rotation"]) < 1e-6)
    assert alive["range_degrees"]["generated"]["all"].max() < 1e-6 < alive["range_degrees"]["real"]["all"].max()
    assert alive["movement"]["per_value"][7] == pytest.approx(1, abs=1e-4)


def test_feelings_are_learned_from_codes(clips):
    rng = np.random.default_rng(1)
    for clip in clips:
        clip.labels["emotion"][:] = rng.uniform(0, 1, 8)
    found = talking_heads.learn_feelings(FakeSplitWithEvery(clips), Face(clips), 3, 1)
    told = np.asarray([clip.labels["emotion"].mean(0) for clip in clips])
    codes = np.asarray([Face(clips).motion(clip.images)[:, 7:].mean(0) for clip in clips])
    at = schema.EMOTIONS.index("happiness")
    assert np.corrcoef(found(codes)[:, at], told[:, at])[0, 1] > 0.9


class FakeSplitWithEvery(FakeSplit):
    """Chooses all of its clips and gives some of their frames."""

    def choose(self, count):
        return range(len(self.clips))

    def clip(self, index, every):
        return self.clips[index]
