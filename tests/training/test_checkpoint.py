"""Checkpoints hold the state of their step, whatever happens to its buffers afterwards, and fit other layouts."""

import functools

import jax
import numpy as np
import pytest

from tests.training import toy
from vasa_jax.errors import InputError
from vasa_jax.training import checkpoint, loop
from vasa_jax.training.partition import MeshPartitioner
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step


def _setup(partitioner):
    task = toy.make()
    optimizers = make_optimizers(toy.config(), task)
    init = functools.partial(init_state, task, optimizers, loop.init_key(0))
    abstract = jax.eval_shape(init, toy.batch(0))
    step = partitioner.step(lambda axis: make_train_step(task, optimizers, axis_name=axis), abstract)
    return partitioner.init(init, partitioner.put(toy.batch(0))), abstract, step


def test_saving_in_the_background_while_buffers_are_donated_onto_another_layout(tmp_path):
    wide = MeshPartitioner({"data": 2, "fsdp": 4}, min_size=64)
    state, abstract, step = _setup(wide)
    state, _ = step(state, wide.put(toy.batch(0)), jax.random.key(0))
    expected = jax.tree.map(np.array, state)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(1, state)
    for number in range(1, 4):
        state, _ = step(state, wide.put(toy.batch(number)), jax.random.key(0))
    checkpoints.manager.wait_until_finished()
    narrow = MeshPartitioner({"data": 1}, devices=jax.devices()[:1])
    restored = checkpoints.restore(1, abstract, narrow.shardings(abstract))
    jax.tree.map(np.testing.assert_array_equal, restored, expected)
    assert all(leaf.sharding.device_set == {jax.devices()[0]} for leaf in jax.tree.leaves(restored))
    checkpoints.close()


def test_a_checkpoint_of_another_model_is_bad_input(tmp_path):
    one = MeshPartitioner({"data": -1})
    state, abstract, _ = _setup(one)
    checkpoints = checkpoint.Checkpoints(tmp_path)
    checkpoints.save(0, state)
    checkpoints.manager.wait_until_finished()
    other = abstract.replace(params={"model": {"new": jax.ShapeDtypeStruct((3,), np.float32)}})
    with pytest.raises(InputError, match="does not fit"):
        checkpoints.restore(0, other, one.shardings(other))
    checkpoints.close()
    with pytest.raises(InputError, match="no checkpoint"):
        checkpoint.read_ema(tmp_path / "nowhere")
