"""The face task at a size of nothing: one step of both players, held-out measures, and who gets which gradient."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.configs.face import tiny_64
from tests import quick
from vasa_jax import landmarks
from vasa_jax.ops.rotations import transform
from vasa_jax.training.face_task import make_face_task

STORED = 40  # 1.25 x 32


@functools.cache
def _config():
    config = tiny_64.get_config()
    config.model.size = config.model.face_size = 32
    config.model.identity.size = config.model.pose.size = 32
    config.model.warp.widths = (16, 12)
    config.discriminator.enabled = True
    config.discriminator.scales = 1
    config.discriminator.widths = (8, 8)
    config.loss_start.adversarial = 10
    return config


@functools.cache
def _batch(n: int = 4) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    batch = {"index": np.arange(n, dtype=np.int32)}
    for name in ("source", "driver", "other"):
        pose = np.concatenate([rng.uniform(-0.2, 0.2, (n, 6)), rng.uniform(0.9, 1.1, (n, 1))], -1).astype(np.float32)
        batch[name] = rng.integers(0, 255, (n, STORED, STORED, 3), dtype=np.uint8)
        batch[f"{name}_pose"] = pose
        batch[f"{name}_landmarks"] = np.asarray(transform(pose, np.tile(landmarks.template(), (n, 1, 1))))
        for label in ("mouth", "lids", "eyes"):
            batch[f"{name}_{label}"] = rng.random((n, 2)).astype(np.float32)
    return batch


def _compiled(fn, *args):
    return quick.jit(fn)(*args)


@functools.cache
def _task_and_params():
    task = make_face_task(_config())
    _batch()  # made outside of any trace
    return task, task.given(_compiled(lambda key: task.init(key, {}), jax.random.key(0)))


@functools.cache
def _step():
    """Model loss, its parts, its gradient and what it hands on, at a step before and after the discriminator starts."""
    task, params = _task_and_params()

    def value(model, step):
        return task.losses["model"]({**params, "model": model}, _batch(), jax.random.key(1), step, {})

    run = quick.jit(jax.value_and_grad(value, has_aux=True))
    return {step: run(params["model"], jnp.int32(step)) for step in (0, 10)}


@pytest.mark.heavy
def test_every_weighted_part_is_there_and_finite():
    (total, (parts, carry)), _ = _step()[0]
    weighted = {name for name, weight in _config().loss.items() if weight}
    assert weighted | {"loss"} == set(parts)
    assert all(np.isfinite(value) for value in parts.values())
    expected = sum(_config().loss[name] * float(parts[name]) for name in weighted)
    assert float(total) == pytest.approx(expected, rel=1e-4)
    assert carry["fake"].shape == carry["real"].shape == (4, 32, 32, 3)


@pytest.mark.heavy
def test_the_discriminator_counts_from_its_first_step_only():
    before, after = (_step()[step][0][1][0] for step in (0, 10))
    assert float(before["adversarial"]) == float(before["matching"]) == 0.0
    assert float(after["matching"]) > 0.0
    assert float(before["pixel"]) == pytest.approx(float(after["pixel"]), rel=1e-5)


@pytest.mark.heavy
def test_gradients_reach_every_network_and_are_finite():
    gradient = _step()[0][1]
    for name, tree in gradient.items():
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(tree)), name
        assert any(np.abs(leaf).max() > 0 for leaf in jax.tree.leaves(tree)), name


def test_samples_are_a_sheet_and_a_video_of_a_turning_head():
    task = make_face_task(_config())
    params = jax.eval_shape(lambda key: task.init(key, {}), jax.random.key(0))
    samples = jax.eval_shape(task.images, task.given(params), _batch(), jax.random.key(0))
    assert samples["turning"].shape == (24, 32, 32, 3) and samples["source_driver_output"].shape == (4 * 32, 6 * 32, 3)


def test_the_discriminator_sees_the_images_of_the_same_step():
    task, params = _task_and_params()
    carry = _step()[0][0][1][1]
    loss, (metrics, _) = _compiled(
        lambda p, c: task.losses["discriminator"](p, _batch(), jax.random.key(1), jnp.int32(0), c), params, carry
    )
    # An untrained discriminator answers near zero to both sides: hinge 1 + 1.
    assert float(loss) == pytest.approx(2.0, abs=0.5)
    assert float(metrics["discriminator"]) == float(loss)


def test_held_out_measures_stand_beside_copying_the_source():
    task, params = _task_and_params()
    metrics = _compiled(lambda p: task.evaluate(p, _batch(), jax.random.key(0)), params)
    assert {"l1_mouth", "copy_mouth", "l1_eyes", "copy_eyes", "pose_degrees"} <= set(metrics)
    assert all(np.isfinite(value) for value in metrics.values())
