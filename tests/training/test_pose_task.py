"""The pose task: learns where a head looks, reports by data set, and starts a face run."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from experiments.configs.pose import small
from tests import quick
from tests.training.test_face_task import _batch, _config
from vasa_jax.training import start
from vasa_jax.training.face_task import make_face_task
from vasa_jax.training.pose_task import make_pose_task


def _small():
    config = small.get_config()
    config.model.size = 32
    config.model.pose = {"size": 16, "widths": (8, 16), "blocks": 1}
    return config


@pytest.mark.heavy
def test_it_overfits_one_batch_and_reports_each_data_set():
    task, batch = make_pose_task(_small()), _batch(4) | {"domain": np.asarray([0, 0, 0, 1], np.int32)}
    params = quick.jit(lambda key: task.init(key, {}))(jax.random.key(0))
    optimizer = optax.adam(3e-3)

    @quick.jit
    def step(params, state):
        grads = jax.grad(lambda p: task.losses["model"](p, batch, jax.random.key(1), 0, {})[0])(params)
        updates, state = optimizer.update(grads, state)
        return optax.apply_updates(params, updates), state

    loss = quick.jit(lambda p: task.losses["model"](p, batch, jax.random.key(1), 0, {})[0])
    before, state = loss(params), optimizer.init(params)
    for _ in range(60):
        params, state = step(params, state)
    assert loss(params) < 0.4 * before
    metrics = quick.jit(task.evaluate)(params, batch, jax.random.key(0))
    assert all(np.isfinite(value) for value in metrics.values())
    shares = 0.75 * metrics["degrees_grid"] + 0.25 * metrics["degrees_procedural_heads"]
    np.testing.assert_allclose(metrics["degrees"], shares, rtol=1e-5)


def test_a_pose_run_starts_the_pose_encoder_of_a_face_run():
    config = _config().copy_and_resolve_references()
    pose_config = _small()
    pose_config.model.pose = config.model.pose
    keys = jax.random.split(jax.random.key(0))
    face = jax.eval_shape(lambda: make_face_task(config).init(keys[0], {}))
    pose = jax.eval_shape(lambda: make_pose_task(pose_config).init(keys[1], {}))
    face, pose = (jax.tree.map(lambda s, v=v: jnp.full(s.shape, v), tree) for tree, v in ((face, 0.0), (pose, 1.0)))
    merged, _, unused = start.merge(face, pose)
    assert unused == []
    assert all((leaf == 1).all() for leaf in jax.tree.leaves(merged["model"]["pose_encoder"]))
    assert all((leaf == 0).all() for leaf in jax.tree.leaves(merged["model"]["generator"]))
