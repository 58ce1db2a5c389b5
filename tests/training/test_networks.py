"""Frozen networks go into a step as an argument: nothing large is a constant of its program."""

import dataclasses
import functools
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.configs.face import small_128_twins
from tests.models.audio.speech_folder import write_folder
from tests.training import test_motion_task, toy
from tests.training.test_face_task import _batch, _config
from vasa_jax import weights
from vasa_jax.training import start
from vasa_jax.training.dynamics_task import make_dynamics_task
from vasa_jax.training.face_task import make_face_task
from vasa_jax.training.motion_task import make_motion_task
from vasa_jax.training.partition import MeshPartitioner, PmapPartitioner
from vasa_jax.training.task import Task
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step

LARGEST = 2**20
"""Bytes that a constant of a step may have."""


def _face(folder):
    config = _config().copy_and_resolve_references()
    config.features = {"vgg19": "random", "arcface": "random"}
    config.loss.face, config.loss.cross_id = 1.0, 1.0
    return config, make_face_task(config), _batch(2)


def _dynamics(folder):
    config = small_128_twins.get_config()
    config.model = weights.load_release(weights.BUNDLED).face_config
    config.teacher = weights.BUNDLED
    batch = _batch(2) | {"domain": np.asarray([0, 1], np.int32)}
    return config, make_dynamics_task(config), batch


def _motion(folder):
    config = test_motion_task.config()
    config.model.update({"speech": "wav2vec2", "speech_width": 8, "speech_layers": 2, "width": 16, "depth": 1})
    config.speech_model = str(write_folder(folder, "large"))
    config.optimizer = _config().optimizer
    config.steps = 10
    return config, make_motion_task(config, test_motion_task.STATS), test_motion_task.batch(2)


def _lowered(config, task: Task, batch):
    optimizers = make_optimizers(config, task)
    abstract = jax.eval_shape(functools.partial(init_state, task, optimizers, start.init_key(0)), batch)
    partitioner = MeshPartitioner({"data": 1}, devices=jax.devices()[:1])
    step = partitioner.step(functools.partial(make_train_step, task, optimizers), abstract)
    return abstract, step.lower(abstract, batch, jax.random.key(0), task.networks)


def _largest_constant(text: str) -> int:
    """Bytes of the largest constant in the text of a lowered program: two digits a byte."""
    return max((len(digits) // 2 for digits in re.findall(r'dense<"0x([0-9A-F]*)"', text)), default=0)


def test_a_network_that_is_closed_over_would_be_found():
    kernel = np.random.default_rng(0).random((600, 600), np.float32)
    text = jax.jit(lambda x: x @ kernel).lower(np.zeros((1, 600), np.float32)).as_text()
    assert _largest_constant(text) == kernel.nbytes > LARGEST


@pytest.mark.parametrize(
    "make", [pytest.param(_face, marks=pytest.mark.slow), _dynamics, _motion], ids=lambda make: make.__name__[1:]
)
@pytest.mark.heavy
def test_a_step_holds_no_network_and_a_checkpoint_neither(make, tmp_path):
    config, task, batch = make(tmp_path)
    sizes = [leaf.size for leaf in jax.tree.leaves(task.networks)]
    abstract, lowered = _lowered(config, task, batch)
    assert _largest_constant(lowered.as_text()) < LARGEST
    # The state comes first and is donated; the networks come last and stay.
    given, _ = lowered.args_info
    assert all(leaf.donated for leaf in jax.tree.leaves(given[0]))
    assert sizes and [leaf.donated for leaf in jax.tree.leaves(given[3])] == [False] * len(sizes)
    assert set(abstract.params) == set(task.players)
    if make is not _motion:
        assert sum(sizes) * 4 > LARGEST  # or nothing would have been shown


@pytest.mark.parametrize("partitioner", [MeshPartitioner, PmapPartitioner])
def test_networks_lie_whole_on_every_device(partitioner):
    networks = {"teacher": {"kernel": np.arange(6, dtype=np.float32).reshape(2, 3)}, "speech": None}
    placed = partitioner().place(networks)["teacher"]["kernel"]
    assert len(placed.sharding.device_set) == len(jax.devices()) and placed.sharding.is_fully_replicated
    np.testing.assert_array_equal(placed, networks["teacher"]["kernel"])


@pytest.mark.slow
def test_every_layout_computes_the_same_with_them():
    """One device, a mesh that splits all it can, and pmap: two steps and an evaluation, nothing moved unasked."""
    base, kernel = toy.make(), np.random.default_rng(0).normal(size=(toy.WIDTH, toy.WIDTH)).astype(np.float32)

    def loss(params, batch, rng, step, carry):
        value, rest = base.losses["model"](params, batch, rng, step, carry)
        seen = jnp.square(batch["x"] @ params["networks"]["teacher"]["kernel"]).mean()
        return value + seen * params["model"]["first"]["bias"].sum(), rest

    losses, networks = {**base.losses, "model": loss}, {"teacher": {"kernel": kernel}, "speech": None}
    task = dataclasses.replace(base, losses=losses, networks=networks)
    optimizers, found = make_optimizers(toy.config(), task), []
    init = functools.partial(init_state, task, optimizers, jax.random.key(0))
    split = MeshPartitioner({"data": 2, "fsdp": 2, "tensor": 2}, rules=[("kernel", ("tensor",))], min_size=1)
    for partitioner in (MeshPartitioner({"data": 1}, devices=jax.devices()[:1]), split, PmapPartitioner()):
        batch, key = partitioner.put(toy.batch(0)), partitioner.seed_key(5)
        state, given = partitioner.init(init, batch), partitioner.place(networks)
        step = partitioner.step(functools.partial(make_train_step, task, optimizers), jax.eval_shape(init, batch))
        for number in range(2):
            with jax.transfer_guard("disallow" if number else "allow"):
                state, metrics = step(state, batch, key, given)
        held_out = partitioner.run(task.evaluate)(state.ema, given, batch, key)
        found.append([float(x) for x in (metrics["loss"], metrics["grad_norm_model"], held_out["l2"])])
    np.testing.assert_allclose(found[1:], [found[0]] * 2, rtol=1e-5)


def test_no_player_may_be_called_as_they_are():
    task = Task("odd", lambda rng, batch: {"networks": {}}, {"networks": lambda *_: None})
    with pytest.raises(ValueError, match="no player may be called 'networks'"):
        init_state(task, {}, jax.random.key(0), {})
