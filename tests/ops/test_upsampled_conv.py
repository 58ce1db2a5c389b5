"""The convolution of repeated cells, and four smaller ones of the cells."""

import jax
import numpy as np
import pytest

from vasa_jax.ops.upsampled_conv import upsampled_conv


@pytest.mark.parametrize("shape", [(2, 5, 4, 3), (1, 1, 1, 2), (1, 1, 6, 3)])
def test_both_forms_are_one_convolution_in_value_and_gradient(shape):
    rng = np.random.default_rng(0)
    x = rng.normal(size=shape).astype(np.float32)
    kernel = rng.normal(size=(3, 3, shape[-1], 4)).astype(np.float32)
    phases, repeated = (upsampled_conv(x, kernel, form) for form in ("phases", "repeated"))
    assert phases.shape == (shape[0], 2 * shape[1], 2 * shape[2], 4)
    # Sums of 27 products of unit size in another order.
    np.testing.assert_allclose(phases, repeated, atol=2e-5)

    def total(x, kernel, form):
        return (upsampled_conv(x, kernel, form) ** 2).sum()

    for a, b in zip(*(jax.grad(total, (0, 1))(x, kernel, f) for f in ("phases", "repeated")), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-2)
