"""Which loss moves which network, when each starts, and what a matte keeps out; all at a size of nothing."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from experiments.configs.face import tiny_64_all
from tests import quick
from tests.training.test_face_task import _batch
from vasa_jax.losses.reconstruction import pyramid_l1
from vasa_jax.models.face_latent import FaceLatentModel, FaceLatents
from vasa_jax.training.augment import StoredFrames, View, plain_view
from vasa_jax.training.face_losses import TRANSFER, FaceLosses, ForwardOutputs
from vasa_jax.training.face_task import FaceStage, make_face_task
from vasa_jax.training.train_step import path_name

ENCODERS = {"appearance_encoder", "identity_encoder", "dynamics_encoder"}
INTO = ENCODERS | {"warp_in", "canonical_unet"}
IMAGE = INTO | {"warp_out", "generator"}
WARPS = {"warp_in", "warp_out", "identity_encoder", "dynamics_encoder"}
REACHES = {
    **dict.fromkeys(("pixel", "feature", "face", "gaze", "painted", "flow", "consist", "cross_id", "contrast"), IMAGE),
    **dict.fromkeys(("adversarial", "matching"), IMAGE),
    "labels": {"dynamics_encoder", "label_head"},
    "pose": {"pose_encoder"},
    "warp_in": WARPS - {"warp_out"},
    "warp_out": WARPS - {"warp_in"},
    "smooth": WARPS,
    "identity": {"identity_encoder"},
    "canonical": INTO,
}


@functools.cache
def _config():
    config = tiny_64_all.get_config()
    config.model.size = config.model.face_size = 32
    config.model.identity.size = config.model.pose.size = 32
    for part, widths in (
        ("appearance", (8,)),
        ("identity", (8,)),
        ("pose", (8,)),
        ("dynamics", (8,)),
        ("warp", (8, 8)),
    ):
        config.model[part].widths = widths
    config.model.appearance.stem = config.model.generator.base = 8
    config.model.generator.widths = (8,)
    config.model.identity.features = config.model.warp.features = 8
    config.discriminator.widths = (4, 4)
    config.loss_start = dict.fromkeys(config.loss_start, 0)
    config.loss_ramp = dict.fromkeys(config.loss_ramp, 0)
    config.transfer_every = 1
    return config


@functools.cache
def _sensitivity() -> dict[str, dict[str, float]]:
    """loss -> network -> largest gradient, at random parameters (where warps start at zero, nothing passes them)."""
    task = make_face_task(_config())
    batch = {name: value[:2] for name, value in _batch().items()}
    params = quick.jit(lambda key: task.init(key, {}))(jax.random.key(0))
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: x + 0.1 * rng.normal(size=x.shape).astype(np.float32), params)
    names = sorted(set(_config().loss))

    def losses(model):
        given = task.given({**params, "model": model})
        parts = task.losses["model"](given, batch, jax.random.key(1), jnp.int32(0), {})[1][0]
        return jnp.stack([parts[name] for name in names])

    run = quick.jit(jax.jacrev(losses))
    found = {name: {} for name in names}
    for path, leaf in jax.tree_util.tree_leaves_with_path(run(params["model"])):
        network = path_name(path).split("/")[0]
        assert np.isfinite(leaf).all(), path_name(path)
        for name, value in zip(names, np.abs(leaf).reshape(len(names), -1).max(1), strict=True):
            found[name][network] = max(found[name].get(network, 0.0), float(value))
    return found


@pytest.mark.slow
def test_every_loss_reaches_the_networks_it_should_and_no_other():
    found = _sensitivity()
    assert set(found) == set(REACHES)
    reached = {name: {network for network, size in sizes.items() if size > 0} for name, sizes in found.items()}
    assert reached == REACHES


def _losses(**changes) -> FaceLosses:
    config = _config().copy_and_resolve_references()
    config.update(changes)
    return FaceLosses(config, FaceLatentModel(ml_collections.FrozenConfigDict(config.model)), None)


def test_a_loss_starts_at_its_step_and_rises_over_its_ramp():
    losses = _losses(loss_start={"consist": 10, "adversarial": 4}, loss_ramp={"consist": 5})
    values = [float(losses.started("consist", jnp.float32(2.0), jnp.int32(step))) for step in (0, 9, 10, 12, 14, 99)]
    np.testing.assert_allclose(values, [0, 0, 0.4, 1.2, 2, 2], rtol=1e-6)
    # Feature matching has no start of its own.
    assert [float(losses.started("matching", jnp.float32(1.0), jnp.int32(step))) for step in (3, 4)] == [0, 1]
    assert losses.started("pixel", jnp.float32(3.0), jnp.int32(0)) == 3.0


@functools.cache
def _view(half: bool) -> View:
    """Two views whose right half, should they have a matte, is not the person."""
    batch = {name: value[:2] for name, value in _batch().items()}
    if half:
        matte = np.full((*batch["source"].shape[:-1], 1), 255, np.uint8)
        matte[:, :, matte.shape[2] // 2 :] = 0
        batch["source_matte"] = matte
    return plain_view(StoredFrames.gather(batch, ("source",)), 32, 32)


def _self_reenactment(view: View, image) -> ForwardOutputs:
    """A view that drives itself; of codes and volumes, which nobody asks for here, there is next to nothing."""
    code, volume = jnp.zeros((2, 1)), jnp.zeros((2, 1, 1, 1, 3))
    return ForwardOutputs(
        source=view,
        driver=view,
        cross_driver=view,
        transfer_indices=jnp.arange(0),
        codes=(code, code, code[:0]),
        poses=jnp.concatenate([view.pose, view.pose]),
        latents=FaceLatents(volume, jnp.zeros((2, 4, 4, 1)), view.pose, code),
        offsets=volume,
        generated={"image": jnp.asarray(image)},
        transferred=None,
    )


def test_without_a_matte_the_whole_image_counts():
    losses, view = _losses(), _view(half=False)
    assert view.matte is None and (losses.foreground(view) == 1).all()
    real, fake = losses.shown(_self_reenactment(view, np.zeros((2, 32, 32, 3))))
    assert (fake == 0).all() and real is view.image


def test_a_matte_keeps_the_background_from_losses_and_discriminator():
    losses, view = _losses(), _view(half=True)
    image = np.random.default_rng(1).random((2, 32, 32, 3), np.float32)
    other = image.copy()
    other[:, :, 20:] = 0.5  # four pixels away from the person: what the coarsest level of the pyramid still mixes
    focus = losses.focus(view)
    np.testing.assert_allclose(pyramid_l1(image, view.image, focus), pyramid_l1(other, view.image, focus), rtol=1e-5)
    real, fake = losses.shown(_self_reenactment(view, other))
    np.testing.assert_allclose(fake[:, :, 20:], real[:, :, 20:], atol=1e-6)
    np.testing.assert_allclose(fake[:, :, :12], other[:, :, :12], atol=1e-6)


def test_a_background_that_counts_a_little():
    changes = {"background": 0.25}
    losses = _losses(loss_focus=_config().loss_focus.to_dict() | changes)
    inside = np.asarray(losses.foreground(_view(half=True)))
    np.testing.assert_allclose(inside[:, :, :12], 1.0)
    np.testing.assert_allclose(inside[:, :, 20:], 0.25)


def test_r1_is_paid_at_every_nth_step():
    config = _config().copy_and_resolve_references()
    config.r1 = {"weight": 2.0, "every": 4}
    config.discriminator.widths = (4,)
    task = make_face_task(config)
    discriminator = task.init  # parameters of the discriminator alone would do, but init makes both
    params = {"discriminator": jax.eval_shape(discriminator, jax.random.key(0), {})["discriminator"]}
    rng = np.random.default_rng(0)
    params = jax.tree.map(lambda x: jnp.asarray(0.3 * rng.normal(size=x.shape), jnp.float32), params)
    carry = {name: jnp.asarray(rng.random((2, 32, 32, 3), np.float32)) for name in ("real", "fake")}
    run = jax.jit(lambda step: task.losses["discriminator"](params, {}, jax.random.key(0), step, carry))
    loss, (due, _) = run(jnp.int32(8))
    assert due["r1"] > 0
    assert float(loss) == pytest.approx(float(due["discriminator"] + 0.5 * 2.0 * 4 * due["r1"]), rel=1e-5)
    loss, (between, _) = run(jnp.int32(9))
    assert between["r1"] == 0 and float(loss) == pytest.approx(float(between["discriminator"]))


def test_what_has_no_weight_is_not_computed_and_nothing_unseen_is_drawn():
    config = _config().copy_and_resolve_references()
    config.loss.update(dict.fromkeys((*TRANSFER, "feature", "smooth"), 0.0))
    task, stage = make_face_task(config), FaceStage(config)
    batch = {name: value[:2] for name, value in _batch().items()}
    key, params = jax.random.key(0), jax.eval_shape(lambda key: task.init(key, {}), jax.random.key(0))

    def forward(params, batch):
        return stage.forward(params, stage.views(batch, key), batch, key)

    made = jax.eval_shape(forward, params, batch)
    assert made.transferred is None and len(made.generated["image"]) == len(made.latents.appearance) == 2
    given = {**params, "networks": task.networks}
    parts = jax.eval_shape(lambda p, b: task.losses["model"](p, b, key, jnp.int32(0), {}), given, batch)[1][0]
    assert set(parts) == {name for name, weight in config.loss.items() if weight} | {"loss"}
    every = jax.eval_shape(FaceStage(_config()).forward, params, jax.eval_shape(stage.views, batch, key), batch, key)
    assert len(every.transferred.crossed) == 2 and len(every.generated["image"]) == 2
