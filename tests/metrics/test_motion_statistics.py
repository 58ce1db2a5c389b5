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
