"""The paper's configurations: their parameters add up, their shapes are those of the paper, tiny ones work whole."""

import functools
import importlib

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np
import pytest

from experiments.common import dry_run
from experiments.configs.face import vasa_512
from tests import quick
from vasa_jax.models.face_latent import FaceLatentModel
from vasa_jax.models.resnet import DeepResNet

MILLIONS = {
    "appearance_encoder": 10.0, "canonical_unet": 72.8, "generator": 41.0, "identity_encoder": 24.5,
    "pose_encoder": 11.2, "dynamics_encoder": 11.2,
}  # fmt: skip
"""MegaPortraits' and EMOPortraits' graph; the warp generators are explained in the configuration's docstring."""


def _model_config(name: str) -> ml_collections.ConfigDict:
    return importlib.import_module(f"experiments.configs.face.{name}").get_config().model


@functools.cache
def _shapes(name: str):
    config = _model_config(name)
    model = FaceLatentModel(ml_collections.FrozenConfigDict(config))
    image = jax.ShapeDtypeStruct((1, config.size, config.size, 3), jnp.float32)
    params = jax.eval_shape(lambda x: model.init(jax.random.key(0), x, x)["params"], image)
    return config, model, params, image


@pytest.mark.heavy
def test_parameters_of_the_512_px_model():
    config, model, params, image = _shapes("vasa_512")
    counts = {part: sum(x.size for x in jax.tree.leaves(tree)) / 1e6 for part, tree in params.items()}
    assert 177 < sum(counts.values()) < 215
    for part, expected in MILLIONS.items():
        assert counts[part] == pytest.approx(expected, rel=0.05), part
    reading = (128 * 8192 + 8192 + 512 * 512 + 512) / 1e6  # of z_dyn and z_id, which the 9.0 leave out
    assert counts["warp_in"] == counts["warp_out"] == pytest.approx(9.0 + reading, rel=0.05)
    latents = jax.eval_shape(lambda p, x: model.apply({"params": p}, x, method="encode"), params, image)
    assert latents.appearance.shape == (1, 16, 64, 64, 96) and latents.appearance.dtype == jnp.bfloat16
    assert latents.identity.shape == (1, 4, 4, 512) and latents.dynamics.shape == (1, 128)
    assert latents.pose.dtype == latents.dynamics.dtype == jnp.float32


@pytest.mark.parametrize(("layers", "parameters"), [(18, 11_176_512), (50, 23_508_032)])
def test_resnets_have_the_published_number_of_parameters(layers, parameters):
    image = jax.ShapeDtypeStruct((1, 64, 64, 3), jnp.float32)
    params = jax.eval_shape(lambda x: DeepResNet(layers).init(jax.random.key(0), x), image)
    assert sum(x.size for x in jax.tree.leaves(params)) == parameters


@pytest.mark.heavy
def test_a_frame_of_the_lite_model_costs_at_most_six_gflop():
    config, _, params, _ = _shapes("lite_256")
    assert dry_run.operations(config, params)["decode"] <= 6e9


# ---- the paper's form, tiny -----------------------------------------------------------------------------------------


@functools.cache
def _tiny(dtype: str = "float32", remat: str = "blocks") -> FaceLatentModel:
    model = vasa_512.get_model()
    model.update(
        {
            "size": 32,
            "face_size": 32,
            "dtype": dtype,
            "block": {"remat": remat},
            "appearance": {"stem": 4, "widths": (8, 8), "volume": (4, 8), "blocks_3d": 1},
            "identity": {"size": 128, "features": 8},
            "warp": {"widths": (8, 8), "depth": 4, "features": 8},
            "canonical": {"widths": (8,), "middle": (8,), "depths": (8,)},
            "generator": {"base": 8, "blocks": 1, "widths": (8, 8)},
        }
    )
    # Towers of many layers are tested by themselves (test_blocks) and take long to compile.
    model.identity = {"size": 32, "widths": (8,), "features": 8}
    model.pose = {"size": 32, "widths": (8, 8)}
    model.dynamics = {"features": 8, "widths": (8, 8)}
    return FaceLatentModel(ml_collections.FrozenConfigDict(model))


def _images(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, 32, 32, 3)).astype(np.float32)


def _compiled(fn, *args):
    return quick.jit(fn)(*args)


@functools.cache
def _params():
    params = _compiled(lambda x: _tiny().init(jax.random.key(0), x, x)["params"], _images(1))
    # Away from the zeros that last layers start at, yet so little that the warps still read inside the volume.
    return jax.tree.map(lambda x: x + 0.003, params)


@functools.cache
def _decoded(dtype: str):
    """One portrait with three poses and codes: at once, and the first alone."""
    model = _tiny(dtype)

    def run(params, source, drivers):
        apply = functools.partial(model.apply, {"params": params})
        latents = apply(source, method="encode")
        pose, code = apply(drivers, method="encode_motion")
        return apply(latents, pose, code, method="decode"), apply(latents, pose[:1], code[:1], method="decode")

    return _compiled(run, _params(), _images(1), _images(3, 1))


@pytest.mark.heavy
def test_one_portrait_serves_a_batch_of_frames():
    together, alone = _decoded("float32")
    assert together.shape == (3, 32, 32, 3)
    np.testing.assert_allclose(together[:1], alone, atol=1e-5)
    assert np.abs(together[0] - together[1]).max() > 1e-4


@pytest.mark.slow
def test_bfloat16_images_are_close_and_come_out_in_float32():
    exact, rough = _decoded("float32")[0], _decoded("bfloat16")[0]
    assert rough.dtype == jnp.float32
    # 0.07 measured: some thirty layers of random weights one after another, each rounding by up to a 256th.
    assert np.abs(exact - rough).mean() < 0.1 * np.std(exact)


@pytest.mark.slow
def test_every_network_gets_a_finite_gradient_and_remat_changes_none():
    def loss(params, model):
        apply = functools.partial(model.apply, {"params": params})
        pose, code = apply(_images(1, 1), method="encode_motion")
        out = apply(apply(_images(1), method="encode"), pose, code, method="render")
        read = sum(x.sum() for x in apply(code, method="read_labels").values())
        return jnp.square(out["image"] - _images(1, 1)).mean() + jnp.square(out["offsets"] - 0.1).mean() + read

    kept, again = (
        _compiled(jax.grad(functools.partial(loss, model=_tiny(remat=remat))), _params()) for remat in ("", "blocks")
    )
    for name, tree in kept.items():
        leaves = jax.tree.leaves(tree)
        assert all(np.isfinite(leaf).all() for leaf in leaves), name
        assert any(np.abs(leaf).max() > 0 for leaf in leaves), name
    for a, b in zip(jax.tree.leaves(kept), jax.tree.leaves(again), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-3)
