"""Sizes: shapes, means kept, blocks undone."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.ops.resize import (
    aligned_resize,
    average_pool,
    depth_to_space,
    linear_resize,
    nearest_upsample,
    space_to_depth,
)
from vasa_jax.ops.warp import grid_sample, identity_grid


def test_space_to_depth_round_trip():
    x = jnp.asarray(np.random.default_rng(0).normal(size=(2, 8, 12, 3)), jnp.float32)
    folded = space_to_depth(x, 4)
    assert folded.shape == (2, 2, 3, 48)
    np.testing.assert_array_equal(depth_to_space(folded, 4), x)


def test_pooling_undoes_nearest_upsampling_in_2d_and_3d():
    rng = np.random.default_rng(1)
    for shape, factors in (((2, 4, 6, 3), (2, 2)), ((2, 3, 4, 6, 3), (1, 2, 2))):
        x = rng.normal(size=shape).astype(np.float32)
        np.testing.assert_allclose(average_pool(nearest_upsample(x, factors), factors), x, atol=1e-6)


@pytest.mark.parametrize("factors", [(2, 2), (1, 2, 3)])
def test_both_forms_of_pooling_are_one(factors):
    x = jnp.asarray(np.random.default_rng(4).normal(size=(2, *(6,) * len(factors), 3)), jnp.float32)
    mean, window = (functools.partial(average_pool, factors=factors, form=form) for form in ("mean", "window"))
    np.testing.assert_allclose(window(x), mean(x), atol=1e-6)
    total = lambda pool: jax.grad(lambda x: jnp.square(pool(x)).sum())(x)  # noqa: E731
    np.testing.assert_allclose(total(window), total(mean), atol=1e-6)
    half = x.astype(jnp.bfloat16)
    assert window(half).dtype == jnp.bfloat16
    np.testing.assert_allclose(window(half).astype(np.float32), mean(half).astype(np.float32), atol=2**-7)
    for form in ("mean", "window"):
        with pytest.raises((TypeError, ValueError)):  # as jax or numpy says that it cannot reshape
            average_pool(x, (5,) * len(factors), form)


def test_linear_resize_keeps_constants_and_means():
    x = np.random.default_rng(2).normal(size=(1, 4, 4, 2)).astype(np.float32)
    up = linear_resize(x, (8, 8))
    assert up.shape == (1, 8, 8, 2)
    np.testing.assert_allclose(linear_resize(np.ones_like(x), (8, 8)), 1.0, atol=1e-6)
    np.testing.assert_allclose(up[:, 3:5, 3:5].mean((1, 2)), x[:, 1:3, 1:3].mean((1, 2)), atol=1e-5)


def test_aligned_resize_reads_a_grid_at_the_places_of_a_finer_one():
    x = jnp.asarray(np.random.default_rng(3).normal(size=(2, 5, 1, 2)), jnp.float32)
    for source, sizes in ((x, (17, 3)), (jnp.tile(x, (1, 1, 7, 1)), (4, 9))):
        places = jnp.broadcast_to(identity_grid(sizes), (2, *sizes, 2))
        np.testing.assert_allclose(aligned_resize(source, sizes), grid_sample(source, places, "border"), atol=1e-5)
    assert aligned_resize(x, (5, 1)) is x
