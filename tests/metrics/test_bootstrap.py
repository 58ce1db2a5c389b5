import numpy as np
import pytest

from vasa_jax.metrics import bootstrap


def test_interval_covers_the_truth_about_as_often_as_it_says():
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        found = bootstrap.mean_interval(rng.normal(3.0, 1.0, 30))
        inside += found["low"] <= 3.0 <= found["high"]
    # 95% asked for; percentile intervals of 30 values are a little short, and 200 tries scatter by 1.5% (one sigma).
    assert 0.88 <= inside / 200 <= 0.99


def test_same_seed_same_interval_and_nan_left_out():
    values = np.asarray([0.1, 0.5, np.nan, 0.9])
    assert bootstrap.mean_interval(values, 3) == bootstrap.mean_interval(values, 3)
    found = bootstrap.mean_interval(values)
    assert found["n"] == 3 and np.isclose(found["mean"], 0.5) and found["low"] < 0.5 < found["high"]


def test_too_few_values():
    assert bootstrap.mean_interval([np.nan]) == {"mean": None, "low": None, "high": None, "n": 0}
    assert bootstrap.mean_interval([2.0]) == {"mean": 2.0, "low": None, "high": None, "n": 1}
    assert bootstrap.ratio_interval([1.0, 2.0], [0.0, 0.0])["mean"] is None


def test_ratio_of_proportional_values_is_exact():
    below = np.random.default_rng(1).uniform(0.5, 1.0, 20)
    found = bootstrap.ratio_interval(0.7 * below, below)
    # Clips are drawn in pairs, so the ratio is the same in every draw.
    assert np.allclose([found["mean"], found["low"], found["high"]], 0.7)


def test_the_excess_over_a_noise_is_what_was_added_to_it():
    rng = np.random.default_rng(0)
    alone, again, moved = rng.normal(0, 2.0, 4000), rng.normal(0, 2.0, 4000), rng.normal(0, 1.5, 4000)
    found = bootstrap.excess_interval(np.abs(moved + again), np.abs(alone))
    assert found["low"] < 1.5 < found["high"] and found["n"] == 4000
    assert found["mean"] == pytest.approx(1.5, abs=0.15)  # its spread: about 0.08 with 4000 pairs
    assert bootstrap.excess_interval(again, again)["mean"] == 0.0
    assert bootstrap.excess_interval([np.nan], [1.0])["mean"] is None
