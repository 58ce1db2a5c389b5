"""Both forms of the group norm are flax's."""

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.ops.group_norm import group_norm


@pytest.mark.parametrize("moments", ["dot", "reduce"])
@pytest.mark.parametrize("shape", [(2, 5, 6, 12), (3, 2, 3, 4, 12)])
def test_is_flax_group_norm_in_value_and_gradient(moments, shape):
    rng = np.random.default_rng(0)
    x = rng.normal(2.0, 3.0, shape).astype(np.float32)
    scale, shift = rng.normal(size=(2, 12)).astype(np.float32)

    def ours(x, scale, shift):
        return group_norm(x, 3, scale[None], shift[None], moments)

    def theirs(x, scale, shift):
        return nn.GroupNorm(3).apply({"params": {"scale": scale, "bias": shift}}, x)

    # Values of size 3 from sums over some 100 numbers: float32 rounding.
    np.testing.assert_allclose(ours(x, scale, shift), theirs(x, scale, shift), atol=2e-5)
    gradients = (jax.grad(lambda *a, f=f: jnp.sin(f(*a)).sum(), (0, 1, 2))(x, scale, shift) for f in (ours, theirs))
    for a, b in zip(*gradients, strict=True):
        np.testing.assert_allclose(a, b, atol=2e-4)


@pytest.mark.parametrize("moments", ["dot", "reduce"])
def test_each_item_has_its_own_scale_and_bfloat16_keeps_its_statistics(moments):
    x = jnp.asarray(np.random.default_rng(0).normal(100.0, 1.0, (2, 8, 8, 4)), jnp.bfloat16)
    scale, shift = jnp.ones((2, 4)) * jnp.asarray([[1.0], [3.0]]), jnp.zeros((2, 4))
    y = group_norm(x, 1, scale, shift, moments)
    assert y.dtype == jnp.bfloat16
    # The mean is a hundred times the deviation, and bfloat16 has three digits: sums in it would leave nothing.
    np.testing.assert_allclose(np.asarray(y, np.float32).std((1, 2, 3)), [1.0, 3.0], rtol=0.02)
