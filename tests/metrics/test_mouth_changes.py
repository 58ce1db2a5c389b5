import numpy as np
import pytest

from vasa_jax.metrics.mouth_changes import change_amplitude, change_correlation, level_correlation


@pytest.fixture
def track():
    return np.cumsum(np.random.default_rng(0).normal(size=75))


@pytest.mark.parametrize("shift", [-2, -1, 0, 1, 2])
def test_a_shift_within_two_frames_costs_nothing(track, shift):
    assert change_correlation(np.roll(track, shift)[3:-3], track[3:-3]) == pytest.approx(1.0)


def test_a_shift_beyond_does(track):
    assert change_correlation(np.roll(track, 4)[5:-5], track[5:-5]) < 0.5


def test_scale_and_offset_do_not_matter_but_noise_does(track):
    assert change_correlation(0.01 * track + 5, track) == pytest.approx(1.0)
    # Changes of unit variance plus noise whose changes have unit variance: 1 / sqrt(2), scatter about 0.06 for n = 74.
    noise = np.random.default_rng(1).normal(size=75) / np.sqrt(2)
    assert change_correlation(track + noise, track) == pytest.approx(np.sqrt(0.5), abs=0.15)


def test_a_frozen_mouth_follows_nothing_and_a_frozen_truth_says_nothing(track):
    assert change_correlation(np.full(75, 0.3), track) == 0.0
    assert np.isnan(change_correlation(track, np.full(75, 0.3)))
    assert np.isnan(change_correlation(track[:5], track[:5]))


def test_a_common_outline_flatters_levels_not_changes():
    rng = np.random.default_rng(2)
    outline = 4 * np.sin(np.linspace(0, np.pi, 75))
    a, b = outline + rng.normal(size=75), outline + rng.normal(size=75)
    assert level_correlation(a, b) > 0.5 > change_correlation(a, b)


def test_frames_not_valid_are_ignored(track):
    valid = np.ones(75, bool)
    valid[20:23] = False
    broken = np.where(valid, track, 1e3)
    assert change_correlation(broken, track, valid, max_lag=0) == pytest.approx(1.0)
    assert change_correlation(broken, track, max_lag=0) < 0.5


def test_the_longer_track_is_cut(track):
    assert change_correlation(np.concatenate([track, np.zeros(25)]), track) == pytest.approx(1.0)


def test_amplitude_knows_the_scale(track):
    assert change_amplitude(0.1 * track + 3, track) == pytest.approx(0.1)
    assert change_amplitude(np.zeros(75), track) == 0.0
    assert np.isnan(change_amplitude(track, np.zeros(75)))
