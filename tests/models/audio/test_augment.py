"""Augmentation: identities at zero strength, bounds, and pauses that grow without a jump."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np

from vasa_jax.models.audio import augment

NOTHING = augment.AugmentConfig(**{f.name: 0.0 for f in dataclasses.fields(augment.AugmentConfig)})


def test_zero_strength_changes_nothing() -> None:
    power = jax.random.uniform(jax.random.key(0), (24, 40))
    got, level = augment.augment(jax.random.key(1), power, jnp.float32(-20.0), NOTHING)
    np.testing.assert_allclose(got, power, rtol=1e-5)
    assert float(level) == -20.0


def test_warp_moves_a_peak() -> None:
    power = jnp.zeros((1, 40)).at[0, 20].set(1.0)
    for factor in (0.9, 1.0, 1.1):
        centre = jnp.average(jnp.arange(40.0), weights=augment.warp_bands(power, jnp.float32(factor))[0])
        np.testing.assert_allclose(centre, 20 * factor, atol=0.5)


def test_augmented_power_is_finite_and_differs_by_key() -> None:
    power = jax.random.uniform(jax.random.key(0), (24, 40)) * 1e-3
    keys = jax.random.split(jax.random.key(1), 64)
    config = augment.AugmentConfig()
    out, level = jax.vmap(lambda k: augment.augment(k, power, jnp.float32(-20.0), config))(keys)
    assert np.isfinite(out).all() and (np.asarray(out) >= 0).all()
    assert np.ptp(level) > 6.0 and np.abs(np.asarray(level) + 20.0).max() <= 8.0
    assert len(np.unique(np.asarray(out)[:, 0, 0])) == 64


def test_longest_run() -> None:
    mask = jnp.asarray([0, 1, 1, 0, 1, 1, 1, 0, 1], bool)
    assert [int(x) for x in augment.longest_run(mask)] == [4, 3]
    assert int(augment.longest_run(jnp.zeros(5, bool))[1]) == 0


def test_a_longer_pause_is_continuous_and_silent() -> None:
    for start, stop in ((0, 12), (20, 29), (45, 60), (0, 60), (10, 18)):
        silent = (jnp.arange(60) >= start) & (jnp.arange(60) < stop)
        played = jax.vmap(lambda k, silent=silent: augment.lengthen_pause(k, silent))(
            jax.random.split(jax.random.key(start), 50)
        )
        played = np.asarray(played)
        assert (np.abs(np.diff(played)) <= 1).all() and played.min() >= 0 and played.max() < 60
        repeated = np.abs(played[:, 2:] - played[:, :-2]) != 2  # wherever the order is not plain playing
        assert np.asarray(silent)[played[:, 1:-1][repeated]].all()
        assert np.asarray(silent)[played].mean() > np.asarray(silent).mean() - 1e-6
    speech = jnp.arange(60) >= 5
    np.testing.assert_array_equal(augment.lengthen_pause(jax.random.key(0), ~speech), np.arange(60))
