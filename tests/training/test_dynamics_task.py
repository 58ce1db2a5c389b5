"""The dynamics encoder on twins: who is whose target, and that it learns to be the same for both."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.configs.face import small_128_twins
from tests import quick
from tests.training.test_face_task import _batch, _config
from vasa_jax import weights
from vasa_jax.training import dynamics_task
from vasa_jax.training.face_task import make_face_task


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """(the stage, the teacher's parameters as those of its own player)"""
    folder = tmp_path_factory.mktemp("teacher")
    face = _config().copy_and_resolve_references()
    params = quick.jit(functools.partial(make_face_task(face).init, batch={}))(jax.random.key(0))
    weights.save_release(
        folder, face_config=face.model.to_dict(), face_params=jax.device_get(params["model"]), stored="float32"
    )
    config = small_128_twins.get_config()
    config.teacher, config.model = str(folder), face.model
    return dynamics_task._DynamicsStage(config), {"model": params["model"]}


def _given(stage, params):
    return {**params, "networks": {"teacher": stage.teacher_params}}


def _mixed_batch():
    return _batch(4) | {"domain": np.asarray([1, 1, 0, 1], np.int32)}


@pytest.mark.heavy
def test_the_target_is_the_code_of_the_twin_or_ones_own(stage):
    stage, params = stage
    batch = _mixed_batch()
    view = dynamics_task.plain_view(
        dynamics_task.StoredFrames.gather(batch, dynamics_task.FRAMES), stage.size, stage.face_size
    )
    codes, wanted, twins = map(np.asarray, quick.jit(stage._codes)(_given(stage, params), view, batch))
    np.testing.assert_array_equal(twins, np.tile([True, True, False, True], 3))
    source, driver, other = np.split(codes, 3)  # the student is still the teacher
    rows = np.asarray([0, 1, 3])
    np.testing.assert_allclose(wanted[rows], driver[rows], atol=1e-5)
    np.testing.assert_allclose(wanted[4 + rows], source[rows], atol=1e-5)
    np.testing.assert_allclose(wanted[[2, 6]], [source[2], driver[2]], atol=1e-5)
    np.testing.assert_allclose(wanted[8:], other, atol=1e-5)


def test_whitened_codes_vary_alike_in_all_directions():
    mix = np.diag([3.0, 1.0, 0.5]) @ np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]
    codes = jnp.asarray(np.random.default_rng(1).normal(size=(500, 3)) @ mix)
    white = codes @ dynamics_task._whitening(codes)
    np.testing.assert_allclose(np.cov(np.asarray(white).T), np.eye(3), atol=0.15)  # the floor holds back the smallest


@pytest.mark.heavy
def test_codes_of_twins_grow_alike_and_nothing_else_moves(stage):
    stage, params = stage
    batch, task = _mixed_batch(), dynamics_task
    optimizer = optax.adam(1e-3)

    @quick.jit
    def step(params, state):
        loss = lambda p: stage.loss(_given(stage, p), batch, jax.random.key(1), 0, {})  # noqa: E731
        grads, (metrics, _) = jax.grad(loss, has_aux=True)(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state, metrics, grads

    state, errors = optimizer.init(params), []
    for _ in range(30):  # later the labels, which are noise here, pull the codes apart again
        params, state, metrics, grads = step(params, state)
        errors.append(float(metrics["twin"]))
    assert errors[-1] < 0.8 * errors[0], errors
    moved = {name for name, tree in grads["model"].items() if any(jnp.abs(x).max() > 0 for x in jax.tree.leaves(tree))}
    assert moved == {"dynamics_encoder", "label_head"}
    held_out = quick.jit(stage.evaluate)(_given(stage, params), batch, jax.random.key(0))
    assert held_out["apart"] < 0.8 * held_out["apart_teacher"]  # 0.67 of 1.01
    assert task.make_dynamics_task(stage.config).name == "face"
