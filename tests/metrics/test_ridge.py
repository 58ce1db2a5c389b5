import numpy as np
import pytest

from vasa_jax.metrics import ridge


def test_the_dual_gives_the_same_weights():
    rng = np.random.default_rng(0)
    features, targets = rng.normal(size=(12, 8)), rng.normal(size=(12, 2))
    wide = np.concatenate([features, np.zeros((12, 8))], -1)  # more features than rows; the new ones say nothing
    narrow = ridge.fit(features, targets, 0.2)
    assert ridge.fit(wide, targets, 0.4).weights[:8] == pytest.approx(narrow.weights)  # of half the mean variance
    assert ridge.fit(features, targets[:, 0], 0.2).weights == pytest.approx(narrow.weights[:, 0])
