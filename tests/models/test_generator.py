"""The generator's finer flow: no change at first, bounded, and able to learn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np

from tests import quick
from vasa_jax.models.generator import FINE_REACH, Generator
from vasa_jax.ops.warp import identity_grid

SIZE, CELLS, CODE = 32, 8, 4
OPTIONS = {"base": 8, "blocks": 1, "widths": (8,), "last_patch": 2, "modulated": True, "source_skip": True}


@functools.cache
def _inputs():
    rng = np.random.default_rng(0)
    flow = np.broadcast_to(identity_grid((CELLS, CELLS)), (2, 3, CELLS, CELLS, 2)) + 0.1
    volume = rng.normal(size=(2, 3, CELLS, CELLS, 4)).astype(np.float32)
    picture = rng.random((2, SIZE, SIZE, 3), np.float32)
    return volume, rng.normal(size=(2, CODE)).astype(np.float32), flow.astype(np.float32), picture


@functools.cache
def _params(refine: bool):
    return quick.jit(Generator(**OPTIONS, refine=refine).init)(jax.random.key(0), *_inputs())["params"]


def _draw(params, refine: bool):
    return Generator(**OPTIONS, refine=refine).apply({"params": params}, *_inputs())


_compiled = quick.jit(_draw, static_argnums=1)


def test_a_fresh_refinement_changes_nothing():
    """What was trained without it can go on with it: every array of the coarse generator serves as it is."""
    coarse, fine = _params(False), _params(True)
    assert set(fine) - set(coarse) == {"detail", "fine_flow"}
    before, after = _compiled(coarse, False), _compiled({**fine, **coarse}, True)
    for name in ("image", "painted", "coords", "keep"):
        np.testing.assert_allclose(before[name], after[name], atol=1e-5)


def test_the_refinement_learns_from_the_first_step_and_stays_within_reach():
    def gap(params):
        return jnp.square(_draw(params, True)["coords"] - 0.5).mean()

    gradient = quick.jit(jax.grad(gap))(_params(True))
    assert float(jnp.abs(gradient["fine_flow"]["kernel"]).max()) > 0
    wild = {**_params(True), "fine_flow": {"kernel": 1e3 * jnp.ones((3, 3, 8, 2)), "bias": jnp.zeros(2)}}
    moved = np.abs(_compiled(wild, True)["coords"] - _compiled(_params(True), True)["coords"])
    assert 0.5 * FINE_REACH < moved.max() <= FINE_REACH + 1e-5
