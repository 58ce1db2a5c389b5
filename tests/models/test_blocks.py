"""Every block of the paper, tiny, crossed with what must not change its answer: jit, remat, bfloat16, batching."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from vasa_jax.models.appearance_encoder import AppearanceEncoder
from vasa_jax.models.canonical_unet import CanonicalUNet
from vasa_jax.models.discriminator import PatchDiscriminator
from vasa_jax.models.generator import Generator
from vasa_jax.models.layers import ResBlock
from vasa_jax.models.resnet import Residual
from vasa_jax.models.warp_field import WarpField
from vasa_jax.ops.resize import nearest_upsample


def _normal(*shape: int) -> jax.Array:
    return jnp.asarray(np.random.default_rng(len(shape)).normal(size=shape), jnp.float32)


IMAGE, VOLUME, CODE, MAP = _normal(2, 16, 16, 3), _normal(2, 4, 4, 4, 8), _normal(2, 4), _normal(2, 4, 4, 8)

BLOCKS = {
    "block_2d": (lambda **block: ResBlock(8, skip_size=3, **block), (_normal(2, 6, 6, 4),)),
    "block_3d_low_rank": (lambda **block: ResBlock(4, dims=3, **block), (VOLUME, _normal(2, 16, 8))),
    "block_upsample": (lambda **block: ResBlock(8, upsample=True, **block), (_normal(2, 6, 6, 4),)),
    "block_spectral": (lambda **block: ResBlock(8, spectral=True, **block), (_normal(2, 6, 6, 4),)),
    "bottleneck": (lambda **block: Residual(4, 2, bottleneck=True, **block), (_normal(2, 8, 8, 8),)),
    "appearance": (
        lambda **block: AppearanceEncoder(4, (8, 8), (4, 4), blocks_3d=1, skip_size=3, block=block),
        (IMAGE,),
    ),
    "canonical": (lambda **block: CanonicalUNet((8,), (12,), (8,), skip_size=3, block=block), (VOLUME,)),
    "warp": (lambda **block: WarpField((8, 8, 4), depth=4, features=8, block=block), (CODE, MAP)),
    "generator": (lambda **block: Generator(base=8, blocks=1, widths=(8, 4), block=block), (VOLUME, CODE)),
}


@functools.cache
def _params(name: str):
    build, inputs = BLOCKS[name]
    params = quick.jit(lambda *x: build().init(jax.random.key(0), *x)["params"])(*inputs)
    # Away from the zeros that last layers start at, which would hide what lies before them.
    return jax.tree.map(lambda x: x + 0.05, params)


def _total(out) -> jax.Array:
    image = out["image"] if isinstance(out, dict) else out
    weight = jnp.expand_dims(1.0 + jnp.arange(image.shape[-1], dtype=jnp.float32), range(image.ndim - 1))
    return (jnp.square(image.astype(jnp.float32)) * weight).mean()


def _out(name: str, inputs, **block):
    return BLOCKS[name][0](**block).apply({"params": _params(name)}, *inputs)


@functools.cache
def _gradient(name: str, remat: str):
    build, inputs = BLOCKS[name]
    params = _params(name)
    run = quick.jit(
        jax.grad(lambda p: _total(build(**({"remat": remat} if remat else {})).apply({"params": p}, *inputs)))
    )
    return run(params)


def _images(out):
    return out["image"] if isinstance(out, dict) else out


@pytest.mark.parametrize("options", [{"dims": 2}, {"dims": 2, "skip_size": 3}, {"dims": 3}, {"dims": 2, "features": 4}])
def test_upsampling_within_a_block_is_upsampling_before_it(options):
    """With the same parameters: norms, ReLU and 1x1 skips do not see whether cells are repeated yet."""
    options = {"features": 8} | options
    x, style = _normal(2, *[6] * options["dims"], 4), _normal(2, 5)
    before, within = ResBlock(**options), ResBlock(upsample=True, **options)
    params = before.init(jax.random.key(0), x, style)
    wide = nearest_upsample(x, (2,) * options["dims"])
    assert jax.tree.map(jnp.shape, within.init(jax.random.key(0), x, style)) == jax.tree.map(jnp.shape, params)
    # Means over four times as many numbers, which are the same numbers.
    np.testing.assert_allclose(within.apply(params, x, style), before.apply(params, wide, style), atol=1e-5)


@pytest.mark.parametrize("name", BLOCKS)
def test_a_batch_is_its_items_and_jit_is_eager(name):
    inputs, _ = BLOCKS[name][1], _params(name)  # made outside of the trace
    both = jax.jit(lambda *x: _images(_out(name, x)))(*inputs)
    for item in range(2):
        alone = _images(_out(name, tuple(x[item : item + 1] for x in inputs)))
        # Sums in another order: float32 rounding through some ten normalised layers.
        np.testing.assert_allclose(alone[0], both[item], atol=2e-4, rtol=2e-4)


@pytest.mark.parametrize("name", BLOCKS)
@pytest.mark.parametrize("remat", ["blocks", pytest.param("norms", marks=pytest.mark.slow)])
@pytest.mark.heavy
def test_what_is_computed_again_is_the_same(name, remat):
    """The same parameter names too: weights do not depend on how they were trained."""
    again, kept = _gradient(name, remat), _gradient(name, "")
    assert jax.tree.structure(again) == jax.tree.structure(kept)
    for a, b in zip(jax.tree.leaves(again), jax.tree.leaves(kept), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5, rtol=1e-3)


@pytest.mark.parametrize("name", BLOCKS)
def test_every_parameter_gets_a_finite_gradient(name):
    for path, leaf in jax.tree_util.tree_leaves_with_path(_gradient(name, "")):
        assert np.isfinite(leaf).all() and np.abs(leaf).max() > 0, jax.tree_util.keystr(path)


@pytest.mark.parametrize("name", BLOCKS)
def test_bfloat16_is_close(name):
    """Relative to the answer's own spread: eight bits of mantissa through some ten layers leave a few percent."""
    inputs = BLOCKS[name][1]
    # Codes and styles stay float32, as in the model.
    low = tuple(jnp.asarray(x, jnp.bfloat16) if x.ndim > 3 else x for x in inputs)
    exact, rough = _images(_out(name, inputs)), _images(_out(name, low)).astype(jnp.float32)
    assert np.abs(rough - exact).mean() < 0.05 * np.std(exact) + 1e-3


def test_the_spectral_discriminator_is_close_to_a_lipschitz_map():
    """Each convolution's weight has spectral norm one: checked against the exact singular value."""
    from vasa_jax.models.layers import spectral_scale

    kernel = _normal(3, 3, 5, 8)
    exact = np.linalg.svd(kernel.reshape(-1, 8), compute_uv=False)[0]
    assert float(spectral_scale(jnp.asarray(kernel), steps=50)) == pytest.approx(exact, rel=1e-4)
    assert exact * 0.8 < float(spectral_scale(jnp.asarray(kernel))) <= exact * 1.0001


def test_the_spectral_discriminator_bounds_its_logits_whatever_the_weights():
    discriminator = PatchDiscriminator((8, 8), spectral=True)
    params = discriminator.init(jax.random.key(0), IMAGE)["params"]
    large = jax.tree.map(lambda x: x * 100 if x.ndim > 1 else x, params)
    small, same = (discriminator.apply({"params": p}, IMAGE)[0] for p in (params, large))
    np.testing.assert_allclose(small, same, atol=1e-4)
