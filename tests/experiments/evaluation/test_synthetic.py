import json

import numpy as np
import pytest

from experiments.evaluation import synthetic as suite
from experiments.evaluation import tables
from tests.experiments.evaluation.conftest import FRAMES


class FakeMotion:
    """Looks and stands where it is told to, unless that condition is dropped; mouth opening 0.06 throughout."""

    def __init__(self, scale):
        self.scale, self.calls = scale, []

    def windows(self, chunks, frames, *, gaze, distance, guidance, **options):
        self.calls.append(guidance)
        motion = np.zeros((frames, 13), np.float32)
        level = 0.0 if guidance.get("distance") == suite.WITHOUT else distance * self.scale.std + self.scale.mean
        motion[:, 6] = np.exp(level)
        motion[:, 7] = 0.06
        motion[:, 11:13] = 0.0 if guidance.get("gaze") == suite.WITHOUT else gaze
        yield motion[: frames // 2]
        yield motion[frames // 2 :]


@pytest.fixture
def far(clips):
    for clip in clips:
        clip.labels["distance"][:] = 0.2
        clip.labels["gaze"] = np.full((FRAMES, 2), 0.3, np.float32)
    return clips


def test_truth_read_is_no_error_and_the_median_is_one(face, split, capsys):
    report = suite.SyntheticSuite(face).run(split, [0, 1, 2])
    for name in ("mouth_opening", "lids", "eyes_degrees", "pose_degrees", "place", "log_scale"):
        assert report["face"][name]["mean"] == pytest.approx(0.0, abs=1e-5)
    assert report["face"]["mouth_opening_guess"]["mean"] > 0.001 and report["face"]["pose_degrees_guess"]["mean"] > 0.1
    assert "motion_with_conditions" not in report
    json.dumps(tables.plain(report), allow_nan=False)
    suite.show(report)
    assert "clip's median" in capsys.readouterr().out


def test_conditions_are_what_makes_the_difference(face, split, far):
    scale = suite.DistanceScale(0.05, 0.1)
    motion = FakeMotion(scale)
    report = suite.SyntheticSuite(face, motion, scale).run(split, [0, 1])
    told, untold = report["motion_with_conditions"], report["motion_without_conditions"]
    assert told["gaze_degrees"]["mean"] == pytest.approx(0.0, abs=1e-3)
    assert told["log_scale"]["mean"] == pytest.approx(0.0, abs=1e-5)
    assert untold["gaze_degrees"]["mean"] > 10 and untold["log_scale"]["mean"] == pytest.approx(0.2, abs=1e-5)
    # Once with both conditions, then once without either.
    assert [call.get("gaze") for call in motion.calls[:3]] == [1.0, suite.WITHOUT, None]


def test_the_scale_comes_from_the_labels_where_there_is_no_cache(tmp_path, split, far):
    far[0].labels["distance"][:] = 0.5
    found = suite.DistanceScale.find(str(tmp_path), "procedural_heads", split)
    assert found.mean == pytest.approx(0.3) and found.std == pytest.approx(np.std([0.5, 0.2, 0.2]))
