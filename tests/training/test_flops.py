"""Operations are those of products and convolutions, as often as they run."""

import jax
import jax.numpy as jnp
import pytest
from jax import lax

from vasa_jax.ops.conv3d import conv3d
from vasa_jax.training import flops


def _shape(*sizes: int) -> jax.ShapeDtypeStruct:
    return jax.ShapeDtypeStruct(sizes, jnp.float32)


def _strided(x, kernel):
    return lax.conv_general_dilated(x, kernel, (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC"))


def test_products_and_convolutions():
    assert flops.count(jnp.matmul, _shape(3, 4, 5), _shape(3, 5, 6)) == 2 * 3 * 4 * 5 * 6
    assert flops.count(_strided, _shape(1, 8, 8, 3), _shape(3, 3, 3, 4)) == 2 * 4 * 4 * 4 * 27
    assert flops.count(lambda x: jnp.tanh(x).sum(), _shape(9)) == 0


@pytest.mark.parametrize("depth", [4, 16])
def test_a_3d_convolution_counts_once_whatever_form_this_machine_takes(depth):
    assert flops.count(conv3d, _shape(1, depth, 4, 4, 2), _shape(3, 3, 3, 2, 5)) == 2 * depth * 16 * 5 * 54


def test_calls_loops_and_branches():
    x, w = _shape(4, 4), _shape(4, 4)
    assert flops.count(jax.jit(jax.checkpoint(jnp.matmul)), x, w) == 128
    assert flops.count(lambda x, w: lax.scan(lambda c, _: (c @ w, None), x, None, length=7)[0], x, w) == 7 * 128
    branches = lambda x, w: lax.cond(x[0, 0] > 0, lambda: x @ w, lambda: x @ w @ w)  # noqa: E731
    assert flops.count(branches, x, w) == 256


def test_the_backward_pass_of_a_convolution_costs_two_more():
    x, kernel = _shape(1, 8, 8, 4), _shape(3, 3, 4, 4)

    def loss(x, kernel):
        return _strided(x, kernel).sum()

    forward = flops.count(loss, x, kernel)
    assert flops.count(jax.grad(loss, (0, 1)), x, kernel) == pytest.approx(3 * forward, rel=0.35)
