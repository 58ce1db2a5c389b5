"""The discriminator: shapes, and that it can learn what it is there for."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from vasa_jax.losses import adversarial
from vasa_jax.models.discriminator import Discriminator
from vasa_jax.ops.resize import average_pool

SIZE = 32


@functools.cache
def _sharp_and_blurred() -> tuple[np.ndarray, np.ndarray]:
    """Pictures of large soft shapes with fine structure, and the same without: coarse differences say nothing."""
    rng = np.random.default_rng(0)
    shapes = jax.image.resize(rng.random((32, 4, 4, 3), np.float32), (32, SIZE, SIZE, 3), "cubic")
    fine = 0.04 * rng.normal(size=(32, SIZE, SIZE, 3)).astype(np.float32)
    smooth = jax.image.resize(average_pool(jnp.asarray(fine), (4, 4)), fine.shape, "linear")
    return np.asarray(shapes + fine), np.asarray(shapes + smooth)


def _loss_after(steps: int, **options) -> float:
    sharp, blurred = _sharp_and_blurred()
    discriminator = Discriminator(widths=(12, 16, 16), scales=1, patch=2, **options)
    params = discriminator.init(jax.random.key(0), sharp[:1])["params"]
    optimizer = optax.adam(5e-4, b1=0.5)

    def loss(params, real, fake):
        logits, _ = discriminator.apply({"params": params}, jnp.concatenate([real, fake]))
        return adversarial.discriminator_hinge([x[:8] for x in logits], [x[8:] for x in logits])

    @jax.jit
    def step(params, state, real, fake):
        gradient = jax.grad(loss)(params, real, fake)
        updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, updates), state

    state = optimizer.init(params)
    for k in range(steps):
        at = slice(8 * (k % 3), 8 * (k % 3) + 8)
        params, state = step(params, state, sharp[at], blurred[at])
    return float(loss(params, sharp[24:], blurred[24:]))


@pytest.mark.slow
def test_blur_is_seen_soon():
    """On images kept out, after 160 steps of a small discriminator. Chance is 2, and instance norm still there
    (2.09)."""
    assert _loss_after(160, norm="layer", detail=6.0) < 1.5  # 1.16 measured
    assert _loss_after(160) > 1.8


@pytest.mark.parametrize("options", [{}, {"norm": "layer", "detail": 6.0}])
def test_one_map_of_logits_and_all_features_for_each_scale(options):
    discriminator = Discriminator(widths=(8, 8, 8), scales=2, patch=2, **options)
    logits, features = discriminator.init_with_output(jax.random.key(0), jnp.zeros((2, SIZE, SIZE, 3)))[0]
    assert [x.shape for x in logits] == [(2, 4, 4, 1), (2, 2, 2, 1)]
    assert len(features) == 6 and features[0].shape == (2, 8, 8, 8)
