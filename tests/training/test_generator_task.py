"""The generator alone: what has a truth is compared with it, what has none is judged by the discriminator only."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from tests import quick
from tests.experiments import shrunk
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.training.generator_task import Courses, make_generator_task, stored_inputs

CONFIG = "face/portrait_256_critic"
RNG = jax.random.key(0)


@functools.cache
def run():
    """(config, parameters, a stored batch, the losses' parts of a batch)."""
    config = shrunk.get_config(CONFIG)
    task = make_generator_task(config)
    batch = shrunk.Stream(config, "train").batch(0)
    params = quick.jit(functools.partial(task.init, batch={}))(RNG)

    @quick.jit
    def parts(params, batch):
        given = task.given(params)
        total, (parts, carry) = task.losses["model"](given, batch, RNG, jnp.int32(0), {})
        return parts | {"total": total} | task.losses["discriminator"](given, batch, RNG, jnp.int32(0), carry)[1][0]

    return config, params, batch, parts


def losses(crossed: float, known: float):
    config, params, batch, parts = run()
    flags = {"crossed": crossed, "known": known}
    return config, parts(params, batch | {k: np.full(len(batch["index"]), v, np.float32) for k, v in flags.items()})


@pytest.mark.heavy
def test_where_nobody_knows_the_truth_only_the_discriminator_speaks():
    config, parts = losses(crossed=1.0, known=0.0)
    assert all(parts[name] == 0 for name in ("pixel", "feature", "painted", "coarse", "flow"))
    assert parts["adversarial"] != 0
    np.testing.assert_allclose(parts["total"], config.loss.adversarial * parts["adversarial"], rtol=1e-6)


@pytest.mark.heavy
def test_where_it_is_known_every_loss_counts_and_the_discriminator_learns():
    config, parts = losses(crossed=0.0, known=1.0)
    names = ("pixel", "feature", "painted", "coarse", "flow", "adversarial")
    assert all(parts[name] != 0 for name in names) and parts["discriminator"] > 0
    np.testing.assert_allclose(parts["total"], sum(config.loss[name] * parts[name] for name in names), rtol=1e-5)


@pytest.mark.heavy
def test_of_what_is_remembered_the_image_counts_and_no_camera_saw_it():
    config, parts = losses(crossed=1.0, known=1.0)
    assert all(parts[name] != 0 for name in ("pixel", "feature", "painted", "coarse", "adversarial"))
    assert parts["flow"] == 0
    unknown, seen = losses(1.0, 0.0)[1]["discriminator"], losses(0.0, 1.0)[1]["discriminator"]
    np.testing.assert_allclose(unknown, seen, rtol=1e-5)  # both learn from the camera's images
    assert parts["discriminator"] != seen


def parameters(config):
    model = FaceLatentModel(ml_collections.FrozenConfigDict(config.model))
    return model, quick.jit(functools.partial(make_generator_task(config).init, batch={}))(RNG)


def stored(courses: Courses | None = None, spoken: np.ndarray | None = None, **fields):
    """What is stored of a batch, every other pair of which is a still, and which are."""
    config = shrunk.get_config("face/portrait_256")
    config.update(fields)
    config.augment.update({"zoom": 0.0, "roll": 0.0, "shift": 0.0})  # source and target lie alike
    batch = shrunk.Stream(config, "train").batch(0)
    still = np.arange(len(batch["index"])) % 2 == 0
    for name in ("", *(f"_{label}" for label in ("pose", "landmarks", "lids", "eyes"))):
        same = still.reshape(-1, *[1] * (batch[f"source{name}"].ndim - 1))
        batch[f"driver{name}"] = np.where(same, batch[f"source{name}"], batch[f"driver{name}"])
    _, params = parameters(config)
    return jax.device_get(quick.jit(stored_inputs(config, courses, spoken))(params, batch, RNG)), still


@pytest.mark.slow
def test_a_crossed_still_keeps_its_face_and_takes_the_code_of_the_item_before():
    (own, still), (crossed, _) = stored(crossed=0.0), stored(crossed=1.0)
    assert not own["crossed"].any() and np.array_equal(crossed["crossed"], still)
    # The image that is to be moved shows all of the still, whose target it is.
    np.testing.assert_array_equal(crossed["image"][still], crossed["target"][still])
    assert (own["image"][still] != own["target"][still]).any()
    np.testing.assert_allclose(crossed["dynamics"][still], np.roll(own["dynamics"], 1, 0)[still], atol=1e-5)
    for name in ("image", "dynamics", "target"):
        np.testing.assert_allclose(crossed[name][~still], own[name][~still], atol=1e-5)


@pytest.mark.slow
def test_a_crossed_still_speaks_what_was_spoken():
    width = shrunk.get_config("face/portrait_256").model.dynamics_dim
    spoken = np.random.default_rng(0).normal(size=(5, width)).astype(np.float32)
    (own, still), (crossed, _) = stored(crossed=0.0), stored(crossed=1.0, spoken=spoken)
    np.testing.assert_allclose(crossed["dynamics"][~still], own["dynamics"][~still], atol=1e-5)
    apart = np.abs(crossed["dynamics"][still][:, None] - spoken[None]).max(-1)
    np.testing.assert_allclose(apart.min(-1), 0.0, atol=1e-6)


@pytest.mark.slow
def test_a_rehearsed_still_is_wanted_as_the_generator_draws_it():
    moves = {"mouth": 0.0, "eyes": 0.0, "gaze": 0.0, "lids": 0.0, "expression": 0.0}
    (crossed, still), (kept, _) = (stored(crossed=1.0, rehearse=on, stills=moves) for on in (False, True))
    assert kept["known"].all() and np.array_equal(crossed["known"], ~still)
    config = shrunk.get_config("face/portrait_256")
    model, params = parameters(config)
    names = ("volume", "dynamics", "flow", "image", "pose", "colours")
    inputs = {name: jnp.asarray(kept[name], jnp.float32) for name in names} | {"image": kept["image"] / 255.0}
    drawn = np.asarray(model.apply({"params": params["model"]}, **inputs, method="generate")["image"])
    np.testing.assert_allclose(kept["target"][still] / 255.0, drawn[still], atol=0.02)  # stored as uint8 and float16
    for name in ("target", "image", "dynamics"):
        np.testing.assert_array_equal(kept[name][~still], crossed[name][~still])
    assert (kept["target"][still] != crossed["target"][still]).any()


@pytest.mark.slow
def test_a_code_says_what_is_moved():
    """In directions given for it alone: in stills as far as they are moved, in others as far as their eyes differ."""
    moves = {"mouth": 0.0, "eyes": 0.0, "gaze": 1.0, "lids": 0.5, "expression": 1.0}
    own, still = stored(crossed=0.0, stills=moves)
    lids, gaze, expressions = jnp.split(jnp.eye(6, own["dynamics"].shape[1]), [1, 3])
    moved, _ = stored(Courses(lids[0], gaze, expressions), crossed=0.0, stills=moves)
    change = moved["dynamics"] - own["dynamics"]
    np.testing.assert_allclose(change[:, 6:], 0, atol=1e-5)
    closed, turned, amounts = np.split(change, [1, 3, 6], -1)[:3]
    assert (np.abs(turned[still]).max(0) <= [0.5 + 1e-5, 0.3 + 1e-5]).all() and (np.abs(turned[still]) > 0).all()
    assert np.abs(amounts[still]).max() <= 1 + 1e-5 and (np.abs(amounts[still]) > 1e-3).any()
    np.testing.assert_allclose(np.concatenate([closed, amounts], -1)[~still], 0, atol=1e-5)
    assert 0 < (closed[still] > 0.1).sum() < still.sum()
    np.testing.assert_allclose(moved["lids"][still], np.maximum(own["lids"], closed)[still], atol=1e-5)
    np.testing.assert_array_equal(moved["image"], own["image"])
    np.testing.assert_array_equal(moved["target"][~still], own["target"][~still])
    assert (moved["target"][still] != own["target"][still]).any((1, 2, 3)).all()
