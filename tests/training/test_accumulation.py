"""A batch in parts trains like the batch."""

import jax
import numpy as np
import pytest

from tests.training import toy
from vasa_jax.errors import UsageError
from vasa_jax.training.partition import accumulation
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step


def _after_a_step(parts: int):
    task, config = toy.make(), toy.config()
    optimizers = make_optimizers(config, task)
    state = init_state(task, optimizers, jax.random.key(0), toy.batch(0))
    return jax.jit(make_train_step(task, optimizers, accumulate=parts))(state, toy.batch(0), jax.random.key(1), {})


def test_parts_give_the_gradients_and_metrics_of_the_whole():
    whole, parts = _after_a_step(1), _after_a_step(4)
    # Losses are means over items, and draws follow an item's place in the batch: only the order of sums differs.
    for a, b in zip(jax.tree.leaves(whole), jax.tree.leaves(parts), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("parts", "devices"), [(0, 1), (3, 1), (8, 4)])
def test_parts_must_split_the_batch_and_the_devices(parts, devices):
    with pytest.raises(UsageError, match=f"config.accumulate is {parts}"):
        accumulation(toy.config(accumulate=parts), devices)
    assert accumulation(toy.config(), devices) == 1
