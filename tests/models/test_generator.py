"""The generator's finer flow: no change at first, bounded, and able to learn."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax.models.generator import Generator
from vasa_jax.models.generators import kind_of
from vasa_jax.models.moving_generator import FINE_REACH, MovingGenerator
from vasa_jax.ops.warp import identity_grid

SIZE, CELLS, CODE = 32, 8, 4
OPTIONS = {"base": 8, "blocks": 1, "widths": (8,), "last_patch": 2}


@functools.cache
def _inputs():
    rng = np.random.default_rng(0)
    flow = np.broadcast_to(identity_grid((CELLS, CELLS)), (2, 3, CELLS, CELLS, 2)) + 0.1
    volume = rng.normal(size=(2, 3, CELLS, CELLS, 4)).astype(np.float32)
    image = rng.random((2, SIZE, SIZE, 3), np.float32)
    return volume, rng.normal(size=(2, CODE)).astype(np.float32), flow.astype(np.float32), image


@functools.cache
def _params(refine: bool):
    return quick.jit(MovingGenerator(**OPTIONS, refine=refine).init)(jax.random.key(0), *_inputs())["params"]


def _draw(params, refine: bool):
    return MovingGenerator(**OPTIONS, refine=refine).apply({"params": params}, *_inputs())


_compiled = quick.jit(_draw, static_argnums=1)


def test_a_fresh_refinement_changes_nothing():
    """What was trained without it can go on with it: every array of the coarse generator serves as it is."""
    coarse, fine = _params(False), _params(True)
    assert set(fine) - set(coarse) == {"detail", "fine_flow"}
    before, after = _compiled(coarse, False), _compiled({**fine, **coarse}, True)
    for name in ("image", "synthesised", "sampling_grid", "blend_mask"):
        np.testing.assert_allclose(before[name], after[name], atol=1e-5)


def test_the_refinement_learns_from_the_first_step_and_stays_within_reach():
    def gap(params):
        return jnp.square(_draw(params, True)["sampling_grid"] - 0.5).mean()

    gradient = quick.jit(jax.grad(gap))(_params(True))
    assert float(jnp.abs(gradient["fine_flow"]["kernel"]).max()) > 0
    wild = {**_params(True), "fine_flow": {"kernel": 1e3 * jnp.ones((3, 3, 8, 2)), "bias": jnp.zeros(2)}}
    moved = np.abs(_compiled(wild, True)["sampling_grid"] - _compiled(_params(True), True)["sampling_grid"])
    assert 0.5 * FINE_REACH < moved.max() <= FINE_REACH + 1e-5


STORED = {"base": 8, "blocks": 1, "widths": (8,), "last_patch": 2}


@pytest.mark.parametrize(
    ("generator", "kind", "options"),
    [
        ({"modulated": False, "source_skip": False, "refine": False}, "full", {}),
        ({"modulated": True, "source_skip": True, "refine": True}, "moving", {"modulated": True, "refine": True}),
        ({"source_skip": True}, "moving", {"modulated": False}),
        ({"kind": "moving", "refine": False}, "moving", {"refine": False}),
        ({"kind": "aligned", "cells": 8}, "aligned", {"cells": 8}),
        ({}, "full", {}),
    ],
)
def test_configurations_of_before_the_kinds_had_names_load(generator, kind, options):
    assert kind_of(STORED | generator) == (kind, STORED | options)


@pytest.mark.parametrize("generator", [{"kind": "painted"}, {"refine": True}])
def test_generators_that_are_not_there_are_refused(generator):
    with pytest.raises(ValueError, match="generator.(kind is|refine is of the kind 'moving')"):
        kind_of(STORED | generator)


def test_the_papers_generator_has_no_part_of_the_others():
    volume, code, *_ = _inputs()
    shapes = jax.eval_shape(lambda: Generator(**OPTIONS).init(jax.random.key(0), volume, code))["params"]
    assert set(shapes) == {"Conv_0", "Conv_1", "ResBlock_0", "ResBlock_1", "StyleNorm_0"}
    assert set(_params(False)) - set(shapes) == {"Conv_2", "Conv_3", "StyleNorm_1"}
