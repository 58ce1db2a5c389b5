"""The gaze loss looks at the eyes and nowhere else, with a network of its own and without."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax import landmarks
from vasa_jax.losses.gaze import gaze_loss
from vasa_jax.losses.perceptual import OWN, FeatureNetwork, random_features

SIDE = 48
POINTS = landmarks.template()[None]
POSE = np.asarray([[0, 0, 0, 0, 0, 0, 1]], np.float32)
WHOLE = np.ones((1, SIDE, SIDE, 1), np.float32)
# Pointwise: the features of a place say nothing of its neighbours.
FACE = FeatureNetwork("pointwise", lambda _, face: [jnp.square(face)], weights=(1.0,), side=40)


def _images():
    rng = np.random.default_rng(0)
    return (rng.random((1, SIDE, SIDE, 3), np.float32) for _ in range(2))


def _row(y: float) -> int:
    return int((y + 1) / 2 * (SIDE - 1))


@pytest.mark.parametrize("network", [OWN, FACE], ids=lambda network: network.name)
def test_zero_at_equality_and_blind_beyond_the_eyes(network):
    a, b = _images()
    assert gaze_loss(a, a, POINTS, POSE, WHOLE, network) == pytest.approx(0.0, abs=1e-7)
    gradient = np.abs(jax.grad(lambda x: gaze_loss(x, b, POINTS, POSE, WHOLE, network).sum())(a)).sum(-1)[0]
    eyes, mouth = gradient[_row(-0.35) : _row(-0.05)], gradient[_row(0.3) :]
    assert eyes.sum() > 0
    # The boxes of a face network have soft edges.
    assert mouth.max() < 1e-2 * eyes.max()


def test_what_is_not_foreground_does_not_count():
    a, b = _images()
    right = WHOLE.copy()
    right[:, :, SIDE // 2 :] = 0.0
    gradient = jax.grad(lambda x: gaze_loss(x, b, POINTS, POSE, right).sum())(a)
    # Features reach a few pixels over the edge.
    assert np.abs(gradient[:, :, SIDE // 2 + 6 :]).max() == 0 and np.abs(gradient[:, :, : SIDE // 2]).max() > 0


def test_our_own_features_are_the_default():
    image, _ = _images()
    for own, found in zip(OWN.maps(image), random_features(image), strict=True):
        np.testing.assert_array_equal(own, found)
