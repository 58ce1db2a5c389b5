"""DDIM against the closed form of a Gaussian, for which the perfect denoiser is known."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.diffusion import sampler, schedule

MEAN, SPREAD = 1.5, 0.4


def _perfect(noisy: jax.Array, time: jax.Array) -> jax.Array:
    """E[x_0 | x_t] for x_0 ~ N(MEAN, SPREAD^2)."""
    left = jnp.asarray(schedule.cosine_alpha_bar())[time][:, None, None]
    gain = jnp.sqrt(left) * SPREAD**2 / (left * SPREAD**2 + 1 - left)
    return MEAN + gain * (noisy - jnp.sqrt(left) * MEAN)


def _spread_by_hand(count: int) -> float:
    """The deterministic sampler is linear in the noise; its slope, step by step in float64."""
    left = schedule.cosine_alpha_bar()[schedule.sampling_times(count)].astype(np.float64)
    after = np.append(left[1:], 1.0)
    slope = 1.0
    for a, b in zip(left, after, strict=True):
        clean = np.sqrt(a) * SPREAD**2 / (a * SPREAD**2 + 1 - a) * slope
        slope = np.sqrt(b) * clean + np.sqrt((1 - b) / (1 - a)) * (slope - np.sqrt(a) * clean)
    return slope


@pytest.mark.parametrize("count", [1, 5, 10, 50, 1000])
def test_deterministic_steps_are_the_linear_map(count: int) -> None:
    start = jax.random.normal(jax.random.key(0), (3, 4, 5))
    made = jax.jit(lambda x: sampler.ddim(_perfect, x, jax.random.key(1), count=count))(start)
    # The start is taken as pure noise although 1e-3 of the signal is left at the last time, hence the offset.
    centre = sampler.ddim(_perfect, jnp.zeros_like(start), jax.random.key(1), count=count)
    np.testing.assert_allclose(centre, MEAN, atol=5e-3)
    np.testing.assert_allclose(made - centre, _spread_by_hand(count) * start, atol=2e-4)
    if count == 1000:
        np.testing.assert_allclose(_spread_by_hand(count), SPREAD, rtol=1e-2)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_every_eta_makes_the_same_distribution(eta: float) -> None:
    start = jax.random.normal(jax.random.key(2), (100, 20, 10))
    made = jax.jit(lambda x: sampler.ddim(_perfect, x, jax.random.key(3), count=200, eta=eta))(start)
    # 20,000 draws: 0.3 % for the mean in units of the spread, 0.5 % for the spread; the rest is the step size.
    np.testing.assert_allclose(made.mean(), MEAN, atol=0.01)
    np.testing.assert_allclose(made.std(), SPREAD, rtol=0.05)


def test_deterministic_ignores_the_key_and_ancestral_does_not() -> None:
    start = jnp.ones((1, 2, 3))
    for eta, same in ((0.0, True), (1.0, False)):
        one, other = (sampler.ddim(_perfect, start, jax.random.key(k), count=10, eta=eta) for k in (0, 1))
        assert bool(jnp.array_equal(one, other)) is same
