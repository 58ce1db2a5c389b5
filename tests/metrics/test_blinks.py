import numpy as np
import pytest

from vasa_jax.metrics import blinks

SHAPE = [0.35, 0.92, 1.0, 0.78, 0.40, 0.12]


def closure(at, frames=100, depth=1.0):
    one = np.zeros(frames + len(SHAPE))
    for k in at:
        one[k : k + len(SHAPE)] = np.maximum(one[k : k + len(SHAPE)], depth * np.asarray(SHAPE))
    return np.stack([one[:frames]] * 2, -1)


def test_blinks_are_counted_where_they_are():
    found = blinks.find_blinks(closure([10, 40, 96]))
    assert [start for start, _ in found] == [11, 41, 97]


def test_noise_about_a_threshold_is_one_blink():
    lids = closure([10])
    lids[12:14] = [[0.52], [0.58]]
    assert len(blinks.find_blinks(lids)) == 1


def test_half_closures_and_long_looks_down_are_none():
    assert blinks.find_blinks(closure([10], depth=0.5)) == []
    lids = np.zeros((100, 2))
    lids[20:60] = 0.9
    assert blinks.find_blinks(lids) == []


def test_matching_uses_each_once():
    real = blinks.find_blinks(closure([10, 40, 70]))
    made = blinks.find_blinks(closure([12, 55]))
    assert blinks.match_blinks(made, real) == {"real": 3, "made": 2, "kept": 1}
    assert blinks.match_blinks(real, real) == {"real": 3, "made": 3, "kept": 3}
    assert blinks.match_blinks([], real)["kept"] == 0


def test_rate():
    assert blinks.blinks_per_minute(3, 25 * 20) == pytest.approx(9.0)
    assert np.isnan(blinks.blinks_per_minute(0, 0))
