"""The painted square lies where the head is, and a renderer composes what the model composes."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax.inference.renderer import SQUARE_PARTS, from_square
from vasa_jax.inference.renderer import compose as compose_large
from vasa_jax.models.aligned_generator import AlignedGenerator, blend_window, compose, face_square, square_places
from vasa_jax.ops.warp import identity_grid

SIZE, CELLS, CODE = 64, 8, 4
POSES = np.float32([[0, 0, 0, 0, 0, 0, 1], [0.1, 0.3, 0.25, 0.1, -0.15, 0, 1.2], [0, 0, -0.4, -0.2, 0.1, 0, 0.8]])
OPTIONS = {"base": 8, "blocks": 1, "widths": (8, 8), "cells": 8, "detail": 1, "last_patch": 2}


@functools.cache
def _inputs():
    rng = np.random.default_rng(0)
    b = len(POSES)
    flow = np.broadcast_to(identity_grid((CELLS, CELLS)), (b, 3, CELLS, CELLS, 2)) + 0.05
    y, x = np.mgrid[:SIZE, :SIZE] / SIZE
    image = np.stack([0.5 + 0.4 * np.sin(5 * x), 0.5 + 0.4 * np.cos(4 * y), 0.8 * x * y], -1)
    colours = np.concatenate([0.2 * np.eye(3), [[0.5], [0], [0]]], -1)
    return (
        rng.normal(size=(b, 3, CELLS, CELLS, 4)).astype(np.float32),
        rng.normal(size=(b, CODE)).astype(np.float32),
        flow.astype(np.float32),
        np.broadcast_to(image, (b, *image.shape)).astype(np.float32),
        POSES,
        np.broadcast_to(colours, (b, 3, 4)).astype(np.float32),
    )


@functools.cache
def _drawn():
    model = AlignedGenerator(**OPTIONS)
    params = quick.jit(model.init)(jax.random.key(0), *_inputs())
    # Away from the start, where nothing is corrected and all is kept.
    params = jax.tree.map(lambda x: x + 0.1 * jax.random.normal(jax.random.key(x.size), x.shape), params)
    return jax.device_get(quick.jit(model.apply)(params, *_inputs()))


def test_the_square_and_its_places_undo_each_other():
    places = square_places(jnp.asarray(POSES), face_square(jnp.asarray(POSES), 16).reshape(len(POSES), -1, 2))
    expected = np.broadcast_to(identity_grid((16, 16)).reshape(1, -1, 2), places.shape)
    np.testing.assert_allclose(places, expected, atol=1e-5)


def test_nothing_is_painted_outside_of_the_square():
    out = _drawn()
    places = square_places(jnp.asarray(POSES), identity_grid((SIZE, SIZE)).reshape(1, -1, 2))
    outside = np.abs(places).max(-1).reshape(len(POSES), SIZE, SIZE) >= 1
    assert 0.2 < outside.mean() < 0.95
    np.testing.assert_array_equal(out["image"][outside], out["warped_source"][outside])
    assert np.abs(out["image"] - out["warped_source"])[~outside].max() > 0.05


def test_the_window_is_one_inside_and_zero_at_the_edge():
    window = np.asarray(blend_window(identity_grid((65, 65))))[..., 0]
    assert window[32, 32] == 1 and window[:, 0].max() == 0 and window[0].max() == 0
    assert np.all(np.diff(window[32, :33]) >= 0)


@pytest.mark.parametrize("size", [SIZE, 2 * SIZE])
def test_a_renderer_composes_what_the_model_does(size):
    """Cubic against linear reading of rough fields: 2.4 of 255 on average; a shift by one pixel is 5 or more."""
    out, image = _drawn(), _inputs()[3][0]
    large = np.repeat(np.repeat(image, size // SIZE, 0), size // SIZE, 1)
    portrait = np.round(255 * large).astype(np.uint8)
    for n, pose in enumerate(POSES):
        parts = {name: out[name][n] for name in SQUARE_PARTS}
        made = compose_large(portrait, from_square(parts, pose, SIZE, size)).astype(np.float32)
        made = made.reshape(SIZE, size // SIZE, SIZE, size // SIZE, 3).mean((1, 3))
        gap = np.abs(made - 255 * np.clip(out["image"][n], 0, 1))[3:-3, 3:-3]
        assert gap.mean() < 3 and np.quantile(gap, 0.99) < 20, (gap.mean(), np.quantile(gap, 0.99))


def test_grey_portraits_stay_grey():
    """By construction, whatever the parameters: chroma within rounding."""
    volume, code, flow, image, pose, colours = _inputs()
    grey = np.repeat(image.mean(-1, keepdims=True), 3, -1)
    frame = np.zeros_like(colours)
    frame[:, 0, 0], frame[:, 0, 3] = 0.2, 0.5
    model = AlignedGenerator(**OPTIONS)
    params = quick.jit(model.init)(jax.random.key(1), volume, code, flow, grey, pose, frame)
    params = jax.tree.map(lambda x: x + jax.random.normal(jax.random.key(x.size), x.shape), params)
    drawn = np.asarray(quick.jit(model.apply)(params, volume, code, flow, grey, pose, frame)["image"])
    assert np.ptp(drawn) > 0.3
    assert (drawn.max(-1) - drawn.min(-1)).max() < 1e-3


def test_the_flow_alone_moves_the_image():
    """A square that keeps everything and corrects nothing leaves the coarse flow."""
    image = _inputs()[3]
    coarse = np.broadcast_to(identity_grid((CELLS, CELLS)), (len(POSES), CELLS, CELLS, 2))
    square = np.zeros((len(POSES), 32, 32, 6), np.float32)
    square[..., 3] = 1.0
    out = compose(jnp.asarray(coarse), jnp.asarray(square), jnp.asarray(POSES), jnp.asarray(image))
    np.testing.assert_allclose(out["image"], image, atol=1e-4)
