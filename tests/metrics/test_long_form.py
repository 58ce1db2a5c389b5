"""Drift and seams of known size."""

import numpy as np
import pytest

from vasa_jax.metrics import long_form

FRAMES, JOINTS = 6000, np.arange(44, 6000, 44)


def _motion(seed: int = 0) -> np.ndarray:
    """Smooth noise of four values that stays what it is."""
    white = np.random.default_rng(seed).standard_normal((FRAMES + 20, 4))
    kernel = np.hanning(12)[:, None]
    return np.stack([np.convolve(column, kernel[:, 0], "valid")[:FRAMES] for column in white.T], -1)


def test_steady_motion_has_no_drift_and_no_seam() -> None:
    found = [long_form.drift(_motion(seed)) for seed in range(10)]
    # With ten draws a p-value below 0.05 has a chance of 40 % once, and of 1 % three times.
    assert sum(f["p_value"] < 0.05 for f in found) <= 2
    assert found[0]["blocks"] == 6 and found[0]["spread_ratio"] == pytest.approx(1, abs=0.2)
    for value in long_form.jumps(_motion(), JOINTS).values():
        assert value["low"] < 1 < value["high"]


@pytest.mark.parametrize("kind", ["level", "spread", "speed"])
def test_one_value_that_drifts_is_found(kind: str) -> None:
    motion, share = _motion(), np.linspace(0, 1, FRAMES)
    if kind == "level":
        motion[:, 2] += 2.0 * motion[:, 2].std() * share
    elif kind == "spread":
        motion[:, 2] *= 1 - 0.8 * share
    else:
        motion[:, 2] += 0.5 * share * np.random.default_rng(9).standard_normal(FRAMES)
    assert long_form.drift(motion)["p_value"] < 0.05


def test_a_seam_is_found() -> None:
    motion = _motion()
    offset = np.random.default_rng(1).standard_normal((len(JOINTS) + 1, 4))
    found = long_form.jumps(motion + offset[np.searchsorted(JOINTS, np.arange(FRAMES), side="right")], JOINTS)
    assert found["change"]["low"] > 1.2 and found["bend"]["low"] > 1.2


def test_too_short_to_tell() -> None:
    found = long_form.drift(_motion()[:500])
    assert found["blocks"] == 0 and np.isnan(found["p_value"])
