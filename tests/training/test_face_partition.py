"""The real face step, both players, under every layout on 8 virtual devices."""

import functools

import jax
import numpy as np
import pytest

from experiments.planning import program
from tests.training.test_face_task import _batch, _config
from vasa_jax.training import start
from vasa_jax.training.face_task import make_face_task
from vasa_jax.training.partition import MeshPartitioner, PmapPartitioner
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step


def _losses(partitioner) -> np.ndarray:
    config = _config().copy_and_resolve_references()
    config.transfer_every = 1  # with one item a device every item serves the transfer losses, in every layout
    task, batch = make_face_task(config), _batch(8)
    optimizers = make_optimizers(config, task)
    init = functools.partial(init_state, task, optimizers, start.init_key(0))
    abstract = jax.eval_shape(init, batch)
    state = partitioner.init(init, partitioner.put(batch))
    step = partitioner.step(functools.partial(make_train_step, task, optimizers), abstract)
    losses = []
    for _ in range(2):
        state, metrics = step(state, partitioner.put(batch), jax.random.key(1), task.networks)
        losses.append([float(metrics["loss"]), float(metrics["pixel"]), float(metrics["consist"])])
    return np.array(losses)


@pytest.mark.slow
def test_devices_exchange_nothing_but_sums_of_gradients():
    config = _config().copy_and_resolve_references()
    task, batch = make_face_task(config), _batch(8)
    optimizers = make_optimizers(config, task)
    abstract = jax.eval_shape(functools.partial(init_state, task, optimizers, start.init_key(0)), batch)
    step = MeshPartitioner({"data": -1}).step(functools.partial(make_train_step, task, optimizers), abstract)
    lowered = step.lower(abstract, batch, jax.random.key(0), task.networks)
    text = lowered.compile(compiler_options={"xla_backend_optimization_level": 0}).as_text()
    assert {exchange.kind for exchange in program.read(text, 8).collectives} == {"all-reduce"}


@pytest.mark.slow
def test_mesh_and_pmap_give_the_losses_of_one_device():
    expected = _losses(MeshPartitioner({"data": 1}, devices=jax.devices()[:1]))
    for partitioner in (MeshPartitioner({"data": -1}), PmapPartitioner()):
        # Convolutions over 8 images or over 1 sum in another order; the second step has been through Adam.
        np.testing.assert_allclose(_losses(partitioner), expected, rtol=2e-3)
