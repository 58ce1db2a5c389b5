import json

import numpy as np
import pytest

from experiments.evaluation import motion as suite
from experiments.evaluation import tables
from tests.experiments.evaluation.conftest import FRAMES, FakeSplit, make_clip


@pytest.fixture
def generate(face):
    """Knows the sentence by its audio, shuts the mouth after it, and moves the head by the seed."""

    def make(audio, frames, seed):
        clip = next(c for c in face.clips.values() if np.array_equal(c.audio[:100], audio[:100]))
        motion = face.motion(clip.images)[np.minimum(np.arange(frames), FRAMES - 1)]
        motion[FRAMES:, 7] = 0.0
        rng = np.random.default_rng(seed)
        motion[:, :3] += 0.1 * np.cumsum(rng.normal(size=(frames, 3)), 0)
        return motion

    return make


def run(face, generate, reader, clips):
    return suite.MotionSuite(face, generate, reader).run(FakeSplit(clips), FakeSplit(clips, "train"), [0, 1])


def test_a_model_that_knows_the_sentence(face, generate, clips, capsys):
    report = run(face, generate, None, clips)
    mouth = report["mouth"]
    assert mouth["generated"]["changes"]["mean"] == pytest.approx(1.0)
    assert mouth["generated"]["of_ceiling"]["mean"] == pytest.approx(1.0)
    assert mouth["re-encoded real video"]["changes"]["mean"] == pytest.approx(1.0)
    assert mouth["wrong audio"]["changes"]["mean"] == pytest.approx(mouth["another real sentence"]["changes"]["mean"])
    assert mouth["wrong audio"]["changes"]["mean"] < 0.6
    assert {"mean track", "ridge from log-mel", "ridge, wrong audio"} < set(mouth) and "real video shrunk" not in mouth
    assert report["silence"]["generated"]["silence"]["mean"] == 0.0
    assert report["seeds"]["two seeds"]["degrees"]["mean"] > 1.0
    assert report["blinks"]["real"]["count"] == 2 and report["blinks"]["generated"]["count"] == 2
    assert report["movement"]["dynamics"] == pytest.approx(1.0, abs=1e-4) and report["movement"]["rotation"] > 1.0
    json.dumps(tables.plain(report), allow_nan=False)
    suite.show(report)
    assert "ridge from log-mel" in capsys.readouterr().out


def test_images_are_read_when_there_is_a_reader(face, generate, reader, clips):
    mouth = run(face, generate, reader, clips)["mouth"]
    assert mouth["real video shrunk"]["changes"]["mean"] == pytest.approx(1.0)
    assert mouth["generated"]["changes"]["mean"] == pytest.approx(1.0)


def test_one_sentence_has_no_wrong_audio(face, generate, clips):
    report = suite.MotionSuite(face, generate, None).run(FakeSplit(clips), FakeSplit(clips), [2])
    assert "wrong audio" not in report["mouth"] and report["n"] == 1
    assert report["seeds"]["two real sentences"]["degrees"]["n"] == 0


def test_baselines_learn_from_the_speaker_s_training_sentences():
    train = FakeSplit([make_clip(k) for k in range(3)] + [make_clip(9, "s2")], "train")
    found = suite.Baselines.fit(train, "s1")
    assert found.clips == 3
    assert found.mean_track == pytest.approx(np.mean([c.labels["mouth"][:, 0] for c in train.clips[:3]], 0))
    stranger = suite.Baselines.fit(train, "s5")
    assert stranger.clips == 3, "the main speaker's, for one who is not in training"
    np.testing.assert_array_equal(stranger.mean_track, found.mean_track)
