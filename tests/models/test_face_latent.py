"""The face latent model at a size of nothing: shapes, warps that start at rest, gradients that reach every part."""

import functools

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from experiments.configs.face import tiny_64
from tests import quick
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.ops.warp import identity_grid


@functools.cache
def _config() -> ml_collections.FrozenConfigDict:
    model = tiny_64.get_model()
    model.size, model.face_size = 32, 32
    model.identity.size = model.pose.size = 32
    model.warp.widths = (16, 12)
    model.generator.last_patch = 2
    return ml_collections.FrozenConfigDict(model)


@functools.cache
def _model_and_params():
    model = FaceLatentModel(_config())
    image = jnp.zeros((1, 32, 32, 3))
    init = quick.jit(lambda key: model.init(key, image, image)["params"])
    return model, init(jax.random.key(0))


def _images(n: int = 2, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((n, 32, 32, 3)).astype(np.float32)


def _apply(method, *args):
    _, params = _model_and_params()
    return _compiled(method)({"params": params}, *args)


@functools.cache
def _compiled(method):
    return quick.jit(functools.partial(_model_and_params()[0].apply, method=method))


def test_shapes_follow_the_contract():
    latents = _apply("encode", _images())
    assert latents.appearance.shape == (2, 4, 8, 8, 8) and latents.origins.shape == (2, 4, 8, 8, 2)
    assert latents.identity.shape == (2, 4, 4, 32)
    assert latents.pose.shape == (2, 7)
    assert latents.dynamics.shape == (2, 16)
    image = _apply("decode", latents, latents.pose, latents.dynamics)
    assert image.shape == (2, 32, 32, 3)
    assert float(image.min()) >= 0 and float(image.max()) <= 1
    labels = _apply("read_labels", latents.dynamics)
    assert {name: value.shape for name, value in labels.items()} == {"mouth": (2, 2), "lids": (2, 2), "eyes": (2, 2)}


@pytest.mark.heavy
def test_warps_start_at_rest_so_the_flow_starts_as_the_identity():
    pose = jnp.tile(jnp.asarray([[0, 0, 0, 0, 0, 0, 1.0]]), (2, 1))
    latents, offsets = _apply("encode_with_offsets", _images(), pose)
    np.testing.assert_array_equal(offsets, 0.0)
    out = _apply("render", latents, pose, latents.dynamics)
    np.testing.assert_array_equal(out["offsets"], 0.0)
    np.testing.assert_allclose(out["sampling_grid"][0], identity_grid((32, 32)), atol=2e-6)
    np.testing.assert_allclose(out["warped_source"], _images(), atol=2e-5)


def test_the_rigid_flow_of_a_shifted_pose_is_the_shift():
    """The head moved right by 0.25: the image shown at x was at x - 0.25 (planes; not the still candidate)."""
    still = jnp.tile(jnp.asarray([[0, 0, 0, 0, 0, 0, 1.0]]), (1, 1))
    moved = still.at[:, 3].set(0.25)
    places = _apply("canonical_places", jnp.zeros((1, 4, 8, 8, 3)), moved)
    expected = identity_grid((4, 8, 8))[..., 0] - 0.25
    np.testing.assert_allclose(places[0, ..., 0], expected, atol=1e-6)


def test_source_and_driver_pose_cancel_when_equal():
    """theta_s = theta_d and no offsets: the flow is the identity for any pose."""
    pose = jnp.asarray([[0.2, -0.3, 0.1, 0.05, -0.04, 0.02, 1.1]])
    latents = _apply("encode", _images(1), pose)
    out = _apply("render", latents, pose, latents.dynamics)
    inner = np.s_[0, 8:24, 8:24]  # the rotated volume ends near the image's edge
    # Rotated places beyond the shallow volume are held at its border: half a pixel of 32.
    np.testing.assert_allclose(out["sampling_grid"][inner], identity_grid((32, 32))[8:24, 8:24], atol=1 / 32)


def test_a_portrait_is_encoded_alone_as_in_a_batch():
    both = _apply("encode", _images())
    alone = _apply("encode", _images()[:1])
    for a, b in zip(jax.tree.leaves(alone), jax.tree.leaves(both), strict=True):
        np.testing.assert_allclose(a[0], b[0], atol=2e-5)


@pytest.mark.slow
def test_every_network_gets_a_finite_gradient_from_reenactment():
    model, params = _model_and_params()

    def loss(params):
        apply = functools.partial(model.apply, {"params": params})
        pose, code = apply(_images(1, 1), method="encode_motion")
        latents = apply(_images(1), method="encode")
        out = apply(latents, pose, code, method="render")
        read = sum(x.sum() for x in apply(code, method="read_labels").values())
        return jnp.square(out["image"] - _images(1, 1)).mean() + jnp.square(out["offsets"] - 0.1).mean() + read

    # The warps' last layers start at zero, which hides what lies before them: a step away from the start.
    params = jax.tree.map(lambda x: x + 0.01, params)
    gradient = quick.jit(jax.grad(loss))(params)
    for name, tree in gradient.items():
        leaves = jax.tree.leaves(tree)
        assert all(np.isfinite(leaf).all() for leaf in leaves), name
        assert any(np.abs(leaf).max() > 0 for leaf in leaves), name


@pytest.mark.parametrize("kind", ["moving", "full"])
def test_the_generator_is_an_option(kind):
    config = ml_collections.ConfigDict(_config().to_dict())
    del config.generator.refine
    config.generator.kind = kind
    model = FaceLatentModel(ml_collections.FrozenConfigDict(config))
    shapes = jax.eval_shape(lambda: model.init(jax.random.key(0), jnp.zeros((1, 32, 32, 3)), jnp.zeros((1, 32, 32, 3))))
    out = jax.eval_shape(lambda p: model.apply(p, jnp.zeros((1, 32, 32, 3)), jnp.zeros((1, 32, 32, 3))), shapes)
    assert out.shape == (1, 32, 32, 3)


@pytest.mark.heavy
def test_the_poses_share_of_a_code_is_given_back_for_the_pose_that_is_shown():
    """With a share the code is another, and every image of a code in its own pose the same as without."""
    _, params = _model_and_params()
    with_share = FaceLatentModel(ml_collections.FrozenConfigDict(_config().to_dict() | {"pose_share": True}))
    kernel = np.random.default_rng(0).normal(size=(9, 16)).astype(np.float32)
    shared = {**params, "pose_share": {"Dense_0": {"kernel": kernel}}}
    pose = jnp.asarray([[0.2, -0.3, 0.1, 0.05, -0.04, 0.02, 1.1]])

    def image(model, params):
        apply = functools.partial(model.apply, {"params": params})
        latents = apply(_images(1), pose, method="encode")
        driver, code = apply(_images(1, 1), method="encode_motion")
        return latents.dynamics, apply(latents, driver, code, method="decode")

    plain, shown = quick.jit(lambda: image(_model_and_params()[0], params))()
    code, same = quick.jit(lambda: image(with_share, shared))()
    assert np.abs(code - plain).max() > 0.1
    np.testing.assert_allclose(same, shown, atol=1e-5)
