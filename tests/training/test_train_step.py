"""What every task's step does to gradients and averages: clipping per player, the warm-up of the average."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tests.training import toy
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step


@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_clipping_bounds_what_adam_sees(size):
    """Adam's first moment after one step is a tenth of the clipped gradient (b1 = 0.9)."""
    config, task = toy.config(), toy.make()
    config.optimizer.clip = 0.5
    optimizer = make_optimizers(config, task)["model"]
    params = toy._init(jax.random.key(0), None)["model"]
    gradient = jax.tree.map(lambda x: jnp.full_like(x, size), params)
    _, state = optimizer.update(gradient, optimizer.init(params), params)
    seen = 10 * optax.tree.norm(optax.tree.get(state, "mu"))
    np.testing.assert_allclose(seen, min(0.5, float(optax.tree.norm(gradient))), rtol=1e-5)


def test_players_are_clipped_apart():
    """A wild adversary does not shrink the model's step."""
    config, task = toy.config(), toy.make()
    config.optimizer.clip = 1e-3
    config.optimizer_adversary.clip = 0.0
    optimizers = make_optimizers(config, task)
    params = toy._init(jax.random.key(0), None)
    norms = {}
    for player, optimizer in optimizers.items():
        gradient = jax.tree.map(jnp.ones_like, params[player])
        _, state = optimizer.update(gradient, optimizer.init(params[player]), params[player])
        norms[player] = float(10 * optax.tree.norm(optax.tree.get(state, "mu")))
    assert norms["model"] == pytest.approx(1e-3, rel=1e-4) and norms["adversary"] > 1.0


def test_the_average_warms_up():
    """min(decay, (1 + n) / (10 + n)): the first step takes nine tenths of the new parameters, later ones less."""
    task = toy.make()
    optimizers = make_optimizers(toy.config(), task)
    state = init_state(task, optimizers, jax.random.key(0), toy.batch(0))
    step = jax.jit(make_train_step(task, optimizers, ema_decay=0.15))
    for number, decay in enumerate((0.1, 0.15, 0.15)):
        before = state
        state, _ = step(before, toy.batch(number), jax.random.key(1), {})
        expected = jax.tree.map(lambda old, new, d=decay: d * old + (1 - d) * new, before.ema, state.params)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7), state.ema, expected)
