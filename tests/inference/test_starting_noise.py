"""The noise that windows start from."""

import jax
import numpy as np

from vasa_jax.inference import starting_noise

M = 12
LIPS = np.linalg.qr(np.random.default_rng(0).normal(size=(M - 7, 2)))[0].T.astype(np.float32)


def _noise():
    return jax.random.normal(jax.random.key(0), (3, 20, M))


def test_nothing_is_random_along_the_lips_and_all_else_is_as_without_them():
    noise = _noise()
    plain, start = (np.asarray(starting_noise.usual(M, lips).of(noise)) for lips in (None, LIPS))
    np.testing.assert_array_equal(start[..., :7], noise[..., :7])  # the pose
    np.testing.assert_allclose(start[..., 7:] @ LIPS.T, 0, atol=1e-6)
    taken = plain[..., 7:] - start[..., 7:]
    np.testing.assert_allclose(taken, plain[..., 7:] @ LIPS.T @ LIPS, atol=1e-6)
    assert np.std(start[..., 7:]) > 0.5 * np.std(plain[..., 7:])


def test_a_scale_may_be_one_for_all_or_one_a_value():
    noise = _noise()
    np.testing.assert_allclose(starting_noise.StartingNoise(0.5 * np.ones(M, np.float32)).of(noise), 0.5 * noise)
    np.testing.assert_allclose(starting_noise.StartingNoise(np.asarray(0.5, np.float32)).of(noise), 0.5 * noise)
    scale = np.asarray(starting_noise.usual(M).scale)
    assert (scale[:7] == 1).all() and np.allclose(scale[7:], starting_noise.DYNAMICS_TEMPERATURE)
