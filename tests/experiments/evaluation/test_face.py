import json

import numpy as np
import pytest

from experiments.evaluation import face as suite
from experiments.evaluation import tables
from vasa_jax import landmarks


def test_a_perfect_model(face, reader, split, capsys):
    report, strips = suite.FaceSuite(face, reader).run(split, [0, 1, 2])
    everyone = report["all"]
    assert everyone["n"] == 3 and sorted(report["speakers"]) == ["s1", "s2"] and len(strips) == 2
    assert everyone["l1_mouth"]["mean"] == 0.0 and everyone["l1_mouth_copy"]["mean"] > 0.1
    assert everyone["mouth_changes"]["mean"] == pytest.approx(1.0)
    assert everyone["mouth_changes_of_ceiling"]["mean"] == pytest.approx(1.0)
    assert everyone["mouth_amplitude"]["mean"] == pytest.approx(1.0)
    assert everyone["blinks"] == {"real": 3, "made": 3, "kept": 3}
    assert everyone["psnr"]["mean"] == 100.0 and everyone["psnr_copy"]["mean"] < 15
    assert everyone["ssim"]["mean"] == pytest.approx(1.0) and report["code"] is None  # one speaker with two clips
    assert "identity" not in everyone and report["identity_of_strangers"] is None
    json.dumps(tables.plain(report), allow_nan=False)
    suite.show("test", report)
    assert "first frame" in capsys.readouterr().out


def test_a_frozen_model_scores_as_the_first_frame(face, reader, split):
    face.decode = lambda latents, motion: np.repeat(face.clips[latents].images[:1], len(motion), 0)
    everyone = suite.FaceSuite(face, reader).run(split, [0, 1, 2])[0]["all"]
    assert everyone["mouth_changes"]["mean"] == 0.0 and everyone["mouth_changes_shrunk"]["mean"] == pytest.approx(1.0)
    assert everyone["l1_mouth_of_copy"]["mean"] == pytest.approx(1.0)
    assert everyone["blinks"]["kept"] == 0


class Recogniser:
    """Knows people by the mean colour of the face."""

    def code(self, aligned):
        return aligned.reshape(-1, 3).mean(0).astype(float)


def test_identity_beside_that_of_real_frames_and_strangers(face, reader, split):
    for clip, colour in zip(split.clips, ([200, 10, 10], [200, 10, 10], [10, 10, 200])):
        clip.images[:, 1:] = colour
    report, _ = suite.FaceSuite(face, reader, Recogniser()).run(split, [0, 2])
    assert report["all"]["identity"]["mean"] == pytest.approx(1.0)
    assert report["all"]["identity_real"]["mean"] == pytest.approx(1.0)
    assert report["all"]["identity_of_real"]["mean"] == pytest.approx(1.0)
    # The fake model draws the source's own frames whoever drives: like the source, unlike the driver.
    assert report["all"]["identity_cross"]["mean"] > 0.9 > report["all"]["identity_cross_driver"]["mean"]
    assert report["identity_of_strangers"]["mean"] < 0.2


def test_frames_without_a_face_do_not_count(face, reader, split):
    honest = reader.read

    def lost(images, real=None):
        reading = honest(images, real)
        if real is None:
            reading.valid[5:9] = False
            reading.mouth[5:9] = 9.0
        return reading

    reader.read = lost
    everyone = suite.FaceSuite(face, reader).run(split, [0])[0]["all"]
    assert everyone["found"]["mean"] == pytest.approx(0.9)
    assert everyone["mouth_changes"]["mean"] == pytest.approx(1.0)


def test_points_follow_the_pose():
    points = landmarks.template()
    start, end = np.asarray([0.1, -0.2, 0.0, 0.1, 0, 0, 1.1]), np.asarray([0, 0.3, 0.1, 0, -0.1, 0, 0.9])
    moved = suite.move_points(suite.move_points(points, np.asarray([0, 0, 0, 0, 0, 0, 1.0]), start), start, end)
    np.testing.assert_allclose(landmarks.fit_pose(moved), end, atol=1e-5)
