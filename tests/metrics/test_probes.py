import numpy as np
import pytest

from vasa_jax.metrics import probes


def codes(n=300, d=6, seed=0):
    return np.random.default_rng(seed).normal(size=(n, d)), np.arange(n) < 200


def test_a_linear_leak_is_found_and_chance_is_about_nothing():
    x, fit = codes()
    rng = np.random.default_rng(1)
    assert probes.explained_variance(x, x @ rng.normal(size=6) + 3, fit) > 0.99
    assert abs(probes.explained_variance(x, rng.normal(size=300), fit)) < 0.1


def test_identity():
    x, fit = codes()
    who = np.arange(300) % 5
    assert probes.accuracy(x, who, fit) < 0.4
    assert probes.accuracy(x + 5 * np.eye(6)[who], who, fit) > 0.95


def test_spectrum():
    x, _ = codes(2000, 10)
    assert probes.spectrum_area(x) == pytest.approx(0.5, abs=0.03)  # evenly spread
    assert probes.spectrum_area(x[:, :1] * np.ones(10)) == pytest.approx(0.95, abs=1e-6)  # one component, of ten
    assert probes.spectrum_area(x * 0.5 ** np.arange(10)) > 0.8
