"""Attention against its formula; rotary positions know distances only."""

import jax.numpy as jnp
import numpy as np
import pytest

from vasa_jax.ops import attention, backends

RNG = np.random.default_rng(0)
QUERY, KEY, VALUE = RNG.normal(size=(3, 2, 7, 3, 8)).astype(np.float32)


def test_softmax_over_the_keys_that_are_there() -> None:
    mask = np.ones((2, 7), bool)
    mask[0, 4:] = False
    logits = np.einsum("bqhc,bkhc->bhqk", QUERY, KEY) / np.sqrt(8)
    weights = np.exp(logits) * mask[:, None, None]
    expected = np.einsum("bhqk,bkhc->bqhc", weights / weights.sum(-1, keepdims=True), VALUE)
    np.testing.assert_allclose(attention.attention(QUERY, KEY, VALUE, jnp.asarray(mask)), expected, atol=1e-5)


def test_rotated_products_depend_on_distance_alone() -> None:
    def product(shift: int) -> np.ndarray:
        at = np.asarray([0, 1, 2, 3, 5, 8, 13]) + shift
        q, k = (np.asarray(attention.rotate(jnp.asarray(x), at)) for x in (QUERY, KEY))
        return np.einsum("bqhc,bkhc->bhqk", q, k)

    np.testing.assert_allclose(product(0), product(29), atol=1e-4)
    plain = np.einsum("bqhc,bkhc->bhqk", QUERY, KEY)
    assert np.abs(product(0) - plain).max() > 0.1
    np.testing.assert_allclose(
        np.diagonal(product(5), axis1=2, axis2=3), np.diagonal(plain, axis1=2, axis2=3), atol=1e-4
    )


def test_rotation_keeps_the_type() -> None:
    assert attention.rotate(jnp.asarray(QUERY, jnp.bfloat16), np.arange(7)).dtype == jnp.bfloat16


@pytest.mark.parametrize(
    ("backend", "dtype", "channels", "form"),
    [("gpu", "bfloat16", 64, "cudnn"), ("gpu", "float32", 64, "xla"), ("gpu", "bfloat16", 12, "xla"),
     ("cpu", "bfloat16", 64, "xla"), ("tpu", "bfloat16", 64, "xla")],
)  # fmt: skip
def test_the_fused_form_where_there_is_one(backend: str, dtype: str, channels: int, form: str) -> None:
    with backends.as_on(backend):
        assert backends.attention(dtype, channels) == form
    with backends.using(attention="xla"):
        assert backends.attention("bfloat16", 64) == "xla"
