"""The mesh and pmap wrappers run the same step: equal losses and parameters on 8 virtual devices."""

import functools

import jax
import numpy as np
import pytest

from tests.training import toy
from vasa_jax.errors import UsageError
from vasa_jax.training import start
from vasa_jax.training.partition import MeshPartitioner, PmapPartitioner, make_partitioner, mesh_shape
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step


def _losses(partitioner, steps=3):
    config, task = toy.config(), toy.make()
    optimizers = make_optimizers(config, task)
    init = functools.partial(init_state, task, optimizers, start.init_key(0))
    abstract = jax.eval_shape(init, toy.batch(0))
    state = partitioner.init(init, partitioner.put(toy.batch(0)))
    first = state
    step = partitioner.step(lambda axis: make_train_step(task, optimizers, axis_name=axis), abstract)
    losses = []
    for number in range(steps):
        state, metrics = step(state, partitioner.put(toy.batch(number)), jax.random.key(5))
        losses.append([float(metrics["loss"]), float(metrics["loss_adversary"]), float(metrics["grad_norm_model"])])
    return np.array(losses), jax.device_get(state.params), first, state


PARTITIONERS = {
    "data": lambda: MeshPartitioner({"data": -1}),
    "fsdp": lambda: MeshPartitioner({"data": 2, "fsdp": 4}, min_size=64),
    "tensor": lambda: MeshPartitioner(
        {"data": 2, "fsdp": 2, "tensor": 2}, rules=[("second/kernel", ("tensor", None))], min_size=64
    ),
    "pmap": PmapPartitioner,
}


@pytest.mark.parametrize("name", PARTITIONERS)
def test_every_layout_gives_the_losses_of_one_device(name):
    assert jax.device_count() == 8
    expected, parameters, _, _ = _losses(MeshPartitioner({"data": 1}, devices=jax.devices()[:1]))
    losses, got, _, _ = _losses(PARTITIONERS[name]())
    # Only the order of float32 sums differs: 16 examples in 1 or 8 parts. Adam divides by the root of the second
    # moment, so parameters may differ by more where a gradient is nearly zero.
    np.testing.assert_allclose(losses, expected, rtol=2e-5)
    jax.tree.map(functools.partial(np.testing.assert_allclose, atol=2e-4), got, parameters)


def test_fsdp_splits_large_leaves_and_their_moments_only():
    _, _, _, state = _losses(PARTITIONERS["fsdp"](), steps=1)
    kernel, bias = state.params["model"]["first"]["kernel"], state.params["model"]["first"]["bias"]
    assert kernel.addressable_shards[0].data.shape == (8, 8) and bias.is_fully_replicated
    moments = [leaf for leaf in jax.tree.leaves(state.opt_state["model"]) if leaf.shape == kernel.shape]
    assert moments and all(leaf.addressable_shards[0].data.shape == (8, 8) for leaf in moments)


def test_the_state_is_donated():
    _, _, first, _ = _losses(MeshPartitioner({"data": -1}), steps=1)
    assert first.params["model"]["first"]["kernel"].is_deleted()


def test_layouts_that_cannot_be():
    assert mesh_shape({"data": -1, "fsdp": 2, "tensor": 2}, 8) == (2, 2, 2)
    for wrong in ({"data": 3}, {"data": -1, "fsdp": -1}, {"data": 0}):
        with pytest.raises(UsageError):
            mesh_shape(wrong, 8)
    with pytest.raises(UsageError):
        make_partitioner(toy.config(parallel="shards"))
    with pytest.raises(UsageError):
        MeshPartitioner({"data": -1}).put(toy.batch(0, size=12))
