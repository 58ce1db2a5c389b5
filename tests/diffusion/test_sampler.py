"""Samplers against the closed form of a Gaussian, whose perfect denoiser is known, and against diffusers' numbers."""

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.diffusion import reference_schedulers
from vasa_jax.diffusion import sampler, schedule

MEAN, SPREAD = 1.5, 0.4


def _perfect(noisy: jax.Array, timestep: jax.Array) -> jax.Array:
    """E[x_0 | x_t] for x_0 ~ N(MEAN, SPREAD^2)."""
    alpha_bar = jnp.asarray(schedule.cosine_alpha_bar())[timestep][:, None, None]
    gain = jnp.sqrt(alpha_bar) * SPREAD**2 / (alpha_bar * SPREAD**2 + 1 - alpha_bar)
    return MEAN + gain * (noisy - jnp.sqrt(alpha_bar) * MEAN)


def _spread_by_hand(count: int) -> float:
    """The deterministic sampler is linear in the noise; its slope, step by step in float64."""
    alpha_bar = schedule.cosine_alpha_bar()[schedule.sampling_timesteps(count)].astype(np.float64)
    after = np.append(alpha_bar[1:], 1.0)
    slope = 1.0
    for a, b in zip(alpha_bar, after, strict=True):
        clean = np.sqrt(a) * SPREAD**2 / (a * SPREAD**2 + 1 - a) * slope
        slope = np.sqrt(b) * clean + np.sqrt((1 - b) / (1 - a)) * (slope - np.sqrt(a) * clean)
    return slope


@pytest.mark.parametrize("count", [1, 5, 10, 50, 1000])
def test_deterministic_steps_are_the_linear_map(count: int) -> None:
    start = jax.random.normal(jax.random.key(0), (3, 4, 5))
    made = jax.jit(lambda x: sampler.sample(_perfect, x, jax.random.key(1), method="ddim", count=count))(start)
    # The start is taken as pure noise although 1e-3 of the signal is left at the last time, hence the offset.
    centre = sampler.sample(_perfect, jnp.zeros_like(start), jax.random.key(1), method="ddim", count=count)
    np.testing.assert_allclose(centre, MEAN, atol=5e-3)
    np.testing.assert_allclose(made - centre, _spread_by_hand(count) * start, atol=2e-4)
    if count == 1000:
        np.testing.assert_allclose(_spread_by_hand(count), SPREAD, rtol=1e-2)


@pytest.mark.parametrize("eta", [0.0, 0.5, 1.0])
def test_every_eta_makes_the_same_distribution(eta: float) -> None:
    start = jax.random.normal(jax.random.key(2), (100, 20, 10))
    made = jax.jit(lambda x: sampler.sample(_perfect, x, jax.random.key(3), method="ddim", count=200, eta=eta))(start)
    # 20,000 draws: 0.3 % for the mean in units of the spread, 0.5 % for the spread; the rest is the step size.
    np.testing.assert_allclose(made.mean(), MEAN, atol=0.01)
    np.testing.assert_allclose(made.std(), SPREAD, rtol=0.05)


def test_deterministic_ignores_the_key_and_ancestral_does_not() -> None:
    start = jnp.ones((1, 2, 3))
    for eta, same in ((0.0, True), (1.0, False)):
        one, other = (
            sampler.sample(_perfect, start, jax.random.key(k), method="ddim", count=10, eta=eta) for k in (0, 1)
        )
        assert bool(jnp.array_equal(one, other)) is same


def _by_hand(method: str, count: int, denoise, start: np.ndarray, eta: float = 0.0) -> np.ndarray:
    """The planned steps in numpy, float64, without noise."""
    planned = sampler.plan(method, count, eta=eta)
    x, before = start.astype(np.float64), 0.0
    for timestep, keep, take, turn, _ in zip(*planned, strict=True):
        clean = denoise(x, float(timestep))
        x, before = keep * x + take * clean + turn * (clean - before), clean
    return x


@pytest.mark.parametrize("method", ["ddim", "dpm++"])
def test_the_numbers_of_a_reference_scheduler(method: str) -> None:
    golden = json.loads(reference_schedulers.GOLDEN.read_text(encoding="utf-8"))[method]
    for count in reference_schedulers.counts(method):
        made = _by_hand(method, count, reference_schedulers.denoiser, reference_schedulers.START)
        # The schedule is float32, of which 1 - alpha_bar keeps four digits at the last times.
        np.testing.assert_allclose(made, golden[str(count)], atol=2e-4, err_msg=str(count))


def test_the_reference_scheduler_itself() -> None:
    pytest.importorskip("diffusers", reason="needs diffusers and torch; the golden numbers of it are tested")
    pytest.importorskip("torch")
    for method, count in (("ddim", 8), ("dpm++", 7), ("dpm++", 16)):
        made = _by_hand(method, count, reference_schedulers.denoiser, reference_schedulers.START)
        np.testing.assert_allclose(made, reference_schedulers.reference(method, count), atol=2e-4)


def test_one_scan_makes_the_planned_steps() -> None:
    start = np.random.default_rng(0).standard_normal((2, 3, 4)).astype(np.float32)
    program = jax.make_jaxpr(lambda x: sampler.sample(_perfect, x, jax.random.key(0), method="dpm++", count=9))(start)
    assert [str(e.primitive) for e in program.eqns].count("scan") == 1
    assert [e.params["length"] for e in program.eqns if str(e.primitive) == "scan"] == [9]
    made = jax.core.eval_jaxpr(program.jaxpr, program.consts, start)[0]

    def perfect(x: np.ndarray, timestep: float) -> np.ndarray:
        return np.asarray(_perfect(jnp.asarray(x, jnp.float32), jnp.full(2, int(timestep))))

    np.testing.assert_allclose(made, _by_hand("dpm++", 9, perfect, start), atol=1e-4)


def _gaussian(x: np.ndarray, timestep: float) -> np.ndarray:
    alpha_bar = schedule.cosine_alpha_bar()[int(timestep)].astype(np.float64)
    return MEAN + np.sqrt(alpha_bar) * SPREAD**2 / (alpha_bar * SPREAD**2 + 1 - alpha_bar) * (
        x - np.sqrt(alpha_bar) * MEAN
    )


def _before_the_last_step(method: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy data at the last time, and where the exact flow of the Gaussian carries the start to."""
    start = np.linspace(-2, 2, 5)
    planned = sampler.plan(method, count)
    x, before = start.copy(), 0.0
    for timestep, keep, take, turn, _ in list(zip(*planned, strict=True))[:-1]:
        clean = _gaussian(x, timestep)
        x, before = keep * x + take * clean + turn * (clean - before), clean
    first, last = (schedule.cosine_alpha_bar()[planned.timestep[k]].astype(np.float64) for k in (0, -1))

    def noise_std(alpha_bar: float) -> float:
        return np.sqrt(alpha_bar * SPREAD**2 + 1 - alpha_bar)

    exact = np.sqrt(last) * MEAN + (start - np.sqrt(first) * MEAN) * noise_std(last) / noise_std(first)
    return x, exact


def test_the_second_order_follows_the_exact_flow_closer() -> None:
    errors = {}
    for method in ("ddim", "dpm++"):
        for count in (10, 20, 40):
            made, exact = _before_the_last_step(method, count)
            errors[method, count] = np.abs(made - exact).max()
    for count in (10, 20, 40):
        assert errors["dpm++", count] < 0.4 * errors["ddim", count]


def test_ancestral_steps_have_the_posterior_of_the_chain() -> None:
    """q(x_s | x_t, x_0) of Ho et al. (2020), equations 6 and 7, for times that leave some out."""
    planned = sampler.plan("ddpm", 20)
    alpha_bar = schedule.cosine_alpha_bar()[planned.timestep].astype(np.float64)
    after = np.append(alpha_bar[1:], 1.0)
    kept = alpha_bar / after  # the product of alpha over the step
    np.testing.assert_allclose(planned.take, np.sqrt(after) * (1 - kept) / (1 - alpha_bar), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(planned.keep, np.sqrt(kept) * (1 - after) / (1 - alpha_bar), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(planned.noise_std**2, (1 - after) / (1 - alpha_bar) * (1 - kept), rtol=1e-4, atol=1e-6)


def test_an_unknown_sampler() -> None:
    with pytest.raises(ValueError, match="dpm"):
        sampler.plan("euler", 10)
