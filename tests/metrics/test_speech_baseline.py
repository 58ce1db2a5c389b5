import numpy as np
import pytest

from vasa_jax.metrics import speech_baseline as baseline


def test_features_see_their_frames():
    audio = np.zeros(20 * 640, np.float32)
    rng = np.random.default_rng(0)
    audio[10 * 640 : 11 * 640] = rng.normal(0, 0.1, 640)
    found = baseline.speech_features(audio, reach=2)
    assert found.shape == (20, 5 * 4 * baseline.BANDS)
    heard = np.flatnonzero(found.sum(-1) > found.sum(-1).min() + 1)
    # The burst is heard two frames before and after, and 7.5 ms of window on either side.
    assert heard.min() in (7, 8) and heard.max() in (12, 13)


def test_ridge_finds_a_linear_rule():
    rng = np.random.default_rng(1)
    weights = rng.normal(size=6)
    features = [rng.normal(size=(40, 6)) + 3 for _ in range(5)]
    targets = [f @ weights + 2 for f in features]
    model = baseline.fit_ridge(features[:4], targets[:4], penalty=1e-8)
    assert model(features[4]) == pytest.approx(targets[4], abs=1e-4)


def test_a_heavy_penalty_says_the_mean():
    rng = np.random.default_rng(2)
    features, targets = [rng.normal(size=(50, 4))], [rng.normal(size=50)]
    model = baseline.fit_ridge(features, targets, penalty=1e9)
    assert model(features[0]) == pytest.approx(np.full(50, targets[0].mean()), abs=1e-6)
