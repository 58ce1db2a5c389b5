"""Properties of the noise schedule."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.diffusion import schedule


def test_alpha_bar_falls_from_one_to_zero() -> None:
    alpha_bar = schedule.cosine_alpha_bar()
    assert alpha_bar.shape == (1000,) and (np.diff(alpha_bar) < 0).all()
    assert alpha_bar[0] > 0.999 and 0 < alpha_bar[-1] < 1e-5
    # Half of the power is left about half-way: the point of the cosine (Nichol and Dhariwal, figure 5).
    assert abs(alpha_bar[499] - 0.5) < 0.02


def test_noise_keeps_unit_variance_and_the_share_of_the_signal() -> None:
    key = jax.random.key(0)
    clean, noise = jax.random.normal(key, (2, 4, 500, 100))
    timestep = jnp.asarray([0, 200, 500, 999])
    noisy = schedule.add_noise(clean, noise, timestep)
    # Standard error of a variance from 50,000 draws is 0.6 %.
    np.testing.assert_allclose(noisy.var((1, 2)), 1.0, atol=0.03)
    np.testing.assert_allclose(
        jnp.square((noisy * clean).mean((1, 2))), schedule.cosine_alpha_bar()[timestep], atol=0.03
    )


def test_times_fall_and_start_at_the_noisiest() -> None:
    for count in (1, 7, 10, 50, 1000):
        times = schedule.sampling_timesteps(count)
        assert len(times) == count and times[0] == 999 and (np.diff(times) < 0).all() and times[-1] >= 0
    for count in (0, 1001):
        with pytest.raises(ValueError):
            schedule.sampling_timesteps(count)


def test_drawn_times_cover_the_chain() -> None:
    times = jax.vmap(schedule.draw_timestep)(jax.random.split(jax.random.key(0), 4000))
    assert times.min() >= 0 and times.max() <= 999 and abs(float(times.mean()) - 499.5) < 20
