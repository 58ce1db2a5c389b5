"""Every implementation of the 3D convolution is the same convolution."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.ops import backends
from vasa_jax.ops.conv3d import conv3d, fold_depth, unfold_depth


@pytest.mark.parametrize("implementation", ["depth_taps", "folded"])
@pytest.mark.parametrize("depth", [1, 2, 4, 7])
def test_agrees_with_native_in_value_and_gradient(implementation, depth):
    rng = np.random.default_rng(depth)
    x = jnp.asarray(rng.normal(size=(2, depth, 6, 5, 3)), jnp.float32)
    kernel = jnp.asarray(rng.normal(size=(3, 3, 3, 3, 4)), jnp.float32)

    def total(x, kernel, how):
        return (conv3d(x, kernel, how) ** 2).sum()

    # Sums of 81 products of unit size: float32 rounding below 1e-4, gradients a few times that, relative 1e-4.
    np.testing.assert_allclose(conv3d(x, kernel, implementation), conv3d(x, kernel, "native"), atol=1e-4)
    ours = jax.grad(total, (0, 1))(x, kernel, implementation)
    native = jax.grad(total, (0, 1))(x, kernel, "native")
    for a, b in zip(ours, native, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-2)


def test_pointwise_kernel_is_a_matrix_product():
    rng = np.random.default_rng(0)
    x, kernel = (jnp.asarray(rng.normal(size=size)) for size in ((1, 2, 3, 4, 5), (1, 1, 1, 5, 6)))
    np.testing.assert_allclose(conv3d(x, kernel), x @ kernel[0, 0, 0], atol=1e-5)


def test_depth_folds_and_unfolds():
    x = jnp.arange(2.0 * 3 * 4 * 5 * 2).reshape(2, 3, 4, 5, 2)
    np.testing.assert_array_equal(unfold_depth(fold_depth(x), 3), x)


@pytest.mark.parametrize(
    ("backend", "depth", "form"),
    [("cpu", 4, "folded"), ("cpu", 16, "depth_taps")] + [(backend, 16, "native") for backend in ("gpu", "tpu")],
)
def test_the_form_depends_on_backend_and_depth(backend, depth, form):
    with backends.as_on(backend):
        assert backends.conv3d(depth) == form
    assert backends.backend() == jax.default_backend()
