"""The generator alone: what has a truth is compared with it, what has none is judged by the critic only."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests import quick
from tests.experiments import shrunk
from vasa_jax.training.generator_task import make_generator_task, stored_inputs

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


def losses(crossed: float):
    config, params, batch, parts = run()
    return config, parts(params, batch | {"crossed": np.full(len(batch["index"]), crossed, np.float32)})


@pytest.mark.heavy
def test_where_nobody_knows_the_truth_only_the_critic_speaks():
    config, parts = losses(crossed=1.0)
    assert all(parts[name] == 0 for name in ("pixel", "feature", "painted", "coarse", "flow"))
    assert parts["adversarial"] != 0
    np.testing.assert_allclose(parts["total"], config.loss.adversarial * parts["adversarial"], rtol=1e-6)


@pytest.mark.heavy
def test_where_it_is_known_every_loss_counts_and_the_critic_learns():
    config, parts = losses(crossed=0.0)
    names = ("pixel", "feature", "painted", "coarse", "flow", "adversarial")
    assert all(parts[name] != 0 for name in names) and parts["discriminator"] > 0
    np.testing.assert_allclose(parts["total"], sum(config.loss[name] * parts[name] for name in names), rtol=1e-5)


@pytest.mark.slow
def test_a_crossed_still_keeps_its_face_and_takes_the_code_of_the_item_before():
    made = {}
    for share in (0.0, 1.0):
        config = shrunk.get_config("face/portrait_256")
        config.crossed = share
        batch = shrunk.Stream(config, "train").batch(0)
        still = np.arange(len(batch["index"])) % 2 == 0
        for name in ("", "_pose", "_landmarks"):
            same = still.reshape(-1, *[1] * (batch[f"source{name}"].ndim - 1))
            batch[f"driver{name}"] = np.where(same, batch[f"source{name}"], batch[f"driver{name}"])
        params = quick.jit(functools.partial(make_generator_task(config).init, batch={}))(RNG)
        made[share] = jax.device_get(quick.jit(stored_inputs(config))(params, batch, RNG))
    own, crossed = made[0.0], made[1.0]
    assert not own["crossed"].any() and np.array_equal(crossed["crossed"], still)
    # The picture that is to be moved shows all of the still, whose target it is.
    np.testing.assert_array_equal(crossed["picture"][still], crossed["target"][still])
    assert (own["picture"][still] != own["target"][still]).any()
    np.testing.assert_allclose(crossed["dynamics"][still], np.roll(own["dynamics"], 1, 0)[still], atol=1e-5)
    for name in ("picture", "dynamics", "target"):
        np.testing.assert_allclose(crossed[name][~still], own[name][~still], atol=1e-5)
