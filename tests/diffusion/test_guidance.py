"""Guidance: identities of the paper's formula."""

import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.diffusion.guidance import guided

NAMES = ("audio", "gaze", "previous")


def _network(noisy, timestep, conditions, drop):
    """Adds the conditions that are there: audio 1x, gaze 10x, previous 100x the condition."""
    total = 0.01 * timestep[:, None, None].astype(noisy.dtype) * noisy
    for weight, name in zip((1.0, 10.0, 100.0), NAMES, strict=True):
        total = total + jnp.where(drop[name], 0.0, weight * conditions)[:, None, None]
    return total


NOISY, TIME, CONDITIONS = jnp.ones((2, 3, 1)), jnp.asarray([1, 2]), jnp.asarray([1.0, 2.0])


def _run(scales, drop=None) -> np.ndarray:
    return np.asarray(guided(_network, CONDITIONS, scales, NAMES, drop)(NOISY, TIME))[:, 0, 0]


def test_no_scale_and_zero_scale_are_the_network_itself() -> None:
    plain = np.asarray([0.01 + 111, 0.02 + 222])
    np.testing.assert_allclose(_run({}), plain, rtol=1e-6)
    np.testing.assert_allclose(_run({"audio": 0.0, "gaze": 0.0}), plain, rtol=1e-6)


def test_formula_of_the_paper() -> None:
    # (1 + 0.5 + 2) H - 0.5 H(no audio) - 2 H(no gaze) adds 0.5 of the audio's and 2 of the gaze's share.
    got = _run({"audio": 0.5, "gaze": 2.0})
    np.testing.assert_allclose(got, np.asarray([0.01 + 111 + 0.5 + 20, 0.02 + 222 + 1 + 40]), rtol=1e-6)


def test_minus_one_removes_a_condition() -> None:
    np.testing.assert_allclose(_run({"gaze": -1.0}), np.asarray([0.01 + 101, 0.02 + 202]), rtol=1e-6)


def test_what_is_null_everywhere_stays_null() -> None:
    drop = {"previous": jnp.asarray([True, False])}
    np.testing.assert_allclose(_run({"audio": 1.0}, drop), np.asarray([0.01 + 12, 0.02 + 224]), rtol=1e-6)


def test_guiding_an_absent_condition_changes_nothing() -> None:
    drop = {"audio": jnp.asarray([True, True])}
    np.testing.assert_allclose(_run({"audio": 3.0}, drop), _run({}, drop), rtol=1e-6)


def test_unknown_condition() -> None:
    with pytest.raises(ValueError, match="colour"):
        guided(_network, CONDITIONS, {"colour": 1.0}, NAMES)


def test_all_passes_are_one_call_of_the_network() -> None:
    rows = []

    def network(noisy, timestep, conditions, drop):
        rows.append((len(noisy), {name: np.asarray(value).tolist() for name, value in drop.items()}))
        return _network(noisy, timestep, conditions, drop)

    guided(network, CONDITIONS, {"audio": 0.5, "gaze": 1.0}, NAMES)(NOISY, TIME)
    null = {"audio": [False, False, True, True, False, False], "gaze": [False] * 4 + [True] * 2}
    assert rows == [(6, {**null, "previous": [False] * 6})]
