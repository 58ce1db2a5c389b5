"""Each measure tells what it is named after, on signals of which the answer is known."""

import cv2
import numpy as np
import pytest

from data_pipelines.prepare import crops, filters, measures
from tests.data_pipelines.prepare.conftest import audio_of, face_points, speech


def test_sharpness_falls_with_blur_and_not_with_contrast():
    image = np.kron(np.random.default_rng(0).integers(60, 200, (40, 40, 1)), np.ones((4, 4, 3))).astype(np.uint8)
    sharp = measures.sharpness(image)
    blurred = [measures.sharpness(cv2.GaussianBlur(image, (0, 0), s)) for s in (1, 2, 4)]
    assert sharp > blurred[0] > blurred[1] > blurred[2] and blurred[1] < 0.3 * sharp
    assert measures.sharpness(image // 2) == pytest.approx(sharp, rel=0.02)
    assert measures.sharpness(np.full((80, 80, 3), 7, np.uint8)) == 0


def test_jitter_of_noise_is_its_deviation_and_of_movement_nothing():
    rng, t = np.random.default_rng(0), np.arange(2000)
    pose = np.zeros((2000, 7))
    pose[:, 0], pose[:, 3] = 0.4 * np.sin(t / 25), 0.1 * np.sin(t / 40)  # 23 degrees to and fro in six seconds
    degrees, share = measures.jitter(pose)
    assert degrees < 0.05 and share < 1e-3
    pose[:, 1] += np.radians(2) * rng.normal(size=2000)
    pose[:, 4] += 0.03 * rng.normal(size=2000)
    assert measures.jitter(pose) == pytest.approx((2, 0.03), rel=0.1)
    pose[:, 2] = np.mod(np.pi + 0.01 * t, 2 * np.pi) - np.pi  # angles that wrap
    assert measures.jitter(pose)[0] == pytest.approx(2, rel=0.1)
    assert measures.jitter(pose[:2]) == (0, 0)


def test_loudness_and_its_range():
    steady = np.random.default_rng(0).normal(0, 0.1, 48_000)
    measured = measures.audio(steady)
    assert measured["level"] == pytest.approx(-20, abs=0.5) and measured["level_range"] < 1
    assert measures.audio(np.zeros(48_000))["level"] == -100
    assert measures.audio(audio_of(speech(75, 0), 0, 16_000))["level_range"] > 15


@pytest.mark.parametrize("shift", [-9, -6, 0, 6, 9])
def test_audio_that_was_moved_is_found(shift):
    opening = speech(250, 1)
    curve = measures.sync_curve(face_points(opening), audio_of(opening, 1, 16_000, shift))
    margin, lag = measures.out_of_step(curve)
    assert lag == -shift and (margin > 0.2) == bool(shift)


def test_stillness_and_short_clips_say_nothing_of_sync():
    opening = speech(75, 1)
    assert not measures.sync_curve(face_points(np.zeros(75)), audio_of(opening, 1, 16_000)).any()
    assert not measures.sync_curve(face_points(opening[:20]), audio_of(opening[:20], 1, 16_000)).any()
    assert not filters.too_far_out_of_step(1.0, 1.0, filters.Limits())


@pytest.mark.parametrize(
    ("x", "half", "outside"), [(50, 20, 0), (50, 50, 0), (0, 20, 0.5), (-30, 20, 1), (50, 100, 0.75)]
)
def test_share_outside_of_the_image(x, half, outside):
    assert measures.outside(crops.CropBox(x, 50, 0, half), 100, 100) == pytest.approx(outside)


def test_every_limit_has_its_words():
    good = {
        "seconds": 3.0,
        "people_share": 0.0,
        "half": 90.0,
        "outside": 0.0,
        "sharpness": 0.4,
        "jitter_degrees": 0.2,
        "jitter_share": 0.001,
        "level": -12.0,
        "level_range": 30.0,
    }
    limits = filters.Limits()
    assert filters.judge(good, limits) is None and filters.judge({"seconds": 3.0}, limits) is None
    bad = {
        "people_share": (0.5, "several people"),
        "half": (10, "head too small"),
        "outside": (0.5, "beyond the edge"),
        "sharpness": (0.01, "blurred"),
        "jitter_degrees": (9, "shaky track"),
        "jitter_share": (0.2, "shaky track"),
        "level": (-80, "silence"),
        "level_range": (1, "no pauses"),
    }
    for name, (value, kind) in bad.items():
        reason = filters.judge(good | {name: value}, limits)
        assert filters.kind(reason) == kind, reason
    assert filters.judge(good | {"level": -80, "seconds": 0.5}, limits) is None  # too short to tell


def test_kinds_of_reasons():
    for reason, kind in {
        "empty (0 bytes); fetch it again": "empty",
        "no audio; speech is needed": "no audio",
        "cut short or damaged: 3 of 9": "cut short or damaged",
        "images of 8192x8192; at most": "images of",
    }.items():
        assert filters.kind(reason) == kind
