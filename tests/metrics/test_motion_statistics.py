import numpy as np
import pytest

from vasa_jax.metrics import motion_statistics as stats


@pytest.fixture
def clips():
    rng = np.random.default_rng(0)
    return [rng.normal(size=(60, 5)) * [1, 2, 3, 4, 0] + rng.normal(size=5) for _ in range(4)]


def test_ratio_of_scaled_motion_is_the_scale_whatever_the_mean(clips):
    scaled = [0.5 * clip + 7 for clip in clips]
    found = stats.movement_ratio(scaled, clips)
    assert np.allclose(found[:4], 0.5) and np.isnan(found[4])


def test_clips_about_their_own_means(clips):
    frozen = [np.broadcast_to(clip.mean(0), clip.shape) for clip in clips]
    assert np.allclose(stats.movement(frozen), 0.0)


def test_head_difference():
    rng = np.random.default_rng(1)
    a = 0.1 * np.cumsum(rng.normal(size=(75, 3)), 0) / 8
    same = stats.head_difference(a, a)
    assert same["degrees"] == pytest.approx(0.0, abs=1e-6) and same["correlation"] == pytest.approx(1.0)
    other = stats.head_difference(a, 0.1 * np.cumsum(rng.normal(size=(75, 3)), 0) / 8)
    assert other["degrees"] > 1.0 and other["correlation"] < 0.5
    assert np.isnan(stats.head_difference(a, np.zeros_like(a))["correlation"])


def test_the_spectrum_of_a_nod_lies_in_its_band() -> None:
    t = np.arange(250) / 25
    clip = np.stack([0.3 * np.sin(2 * np.pi * 2 * t), 0.1 * np.sin(2 * np.pi * 8 * t)], -1)
    for order in (1, 2):
        found = stats.spectra([clip, clip[:200]], order)
        # Mean power of the derivative of a sin(w t): (a w^order)^2 / 2; differences see 2 / dt sin(w dt / 2) for w.
        for value, (size, hertz, band) in enumerate(((0.3, 2, 1), (0.1, 8, 3))):
            speed = 50 * np.sin(np.pi * hertz / 25)
            assert found[band, value] == pytest.approx((size * speed**order) ** 2 / 2, rel=0.05)
            assert found[:, value].sum() == pytest.approx(found[band, value], rel=0.05)


def test_pose_range_in_degrees() -> None:
    still, turned = np.zeros((101, 9)), np.zeros((101, 9))
    turned[:, 1] = np.radians(np.linspace(0, 100, 101))
    found = stats.pose_range([still, turned])
    np.testing.assert_allclose(found["within_clips"], [0, 45, 0], atol=1e-6)
    assert found["all"][1] == pytest.approx(90, abs=1)


def test_the_summary_of_movement_knows_the_kinds_and_the_bounds():
    rng = np.random.default_rng(2)
    real = [rng.normal(size=(50, 10)) for _ in range(3)]
    by = np.asarray([0.5] * 3 + [0.79, 0.81, 1.09] + [1.11] + [1.0, 1.0, 0.0])
    found = stats.movement_summary([clip * by for clip in real], real)
    assert found["rotation"] == pytest.approx(0.5) and found["scale"] == pytest.approx(1.11)
    assert found["dynamics"] == pytest.approx(2 / 3) and found["mean"] == pytest.approx(by.mean())
    assert found["within_0.8_to_1.1"] == pytest.approx(0.4)
