"""Forms are picked by backend, and can be asked for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.ops import backends
from vasa_jax.ops.warp import grid_sample


@pytest.mark.parametrize(
    ("backend", "forms"),
    [
        ("cpu", ("depth_taps", "stacked", "stacked", "mean")),
        ("gpu", ("native", "corners", "stacked", "mean")),
        ("tpu", ("native", "planes", "planes", "window")),
    ],
)
def test_another_backend_is_taken_only_inside_the_block(backend, forms):
    with backends.as_on(backend):
        picked = backends.conv3d(16), backends.warp(3), backends.warp(2), backends.pool()
        assert backends.backend() == backend and picked == forms
    assert backends.backend() == jax.default_backend()


def test_a_form_that_is_asked_for_wins():
    with backends.using(warp="corners"), backends.using(conv3d="native"):
        assert (backends.warp(2), backends.conv3d(4)) == ("corners", "native")
        with backends.as_on("cpu"):
            assert (backends.warp(3), backends.conv3d(4)) == ("stacked", "folded")


@pytest.mark.parametrize("padding", ["zeros", "border"])
@pytest.mark.parametrize("axes", [2, 3])
@pytest.mark.parametrize("form", ["corners", "planes"])
def test_all_forms_of_the_warp_are_one_warp(form, padding, axes):
    rng = np.random.default_rng(axes)
    grid = rng.normal(size=(2, *(4, 5, 6)[:axes], 3)).astype(np.float32)
    coords = rng.uniform(-1.3, 1.3, (2, 7, axes)).astype(np.float32)

    def run(grid, coords, form):
        return (grid_sample(grid, coords, padding, form) ** 2).sum(), grid_sample(grid, coords, padding, form)

    (_, ours), (_, other) = (run(grid, coords, form) for form in (form, "stacked"))
    np.testing.assert_allclose(ours, other, atol=1e-5)
    gradients = [jax.grad(lambda *x, form=form: run(*x, form)[0], (0, 1))(grid, coords) for form in (form, "stacked")]
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-4, rtol=1e-4)


def test_the_warp_keeps_the_grids_type_and_adds_in_float32():
    grid = jnp.asarray(np.random.default_rng(0).normal(size=(1, 4, 4, 4, 2)), jnp.bfloat16)
    coords = jnp.asarray(np.random.default_rng(1).uniform(-1, 1, (1, 9, 3)), jnp.float32)
    exact = grid_sample(grid.astype(jnp.float32), coords)
    for form in ("corners", "planes"):
        ours = grid_sample(grid, coords, form=form)
        assert ours.dtype == jnp.bfloat16
        np.testing.assert_array_equal(ours, exact.astype(jnp.bfloat16))
