"""A task with two players, small enough for tests: a regressor and an adversary that scores its residuals."""

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from vasa_jax.training.task import Task, example_keys

NAME = "toy"
WIDTH = 8


def config(**changes) -> ml_collections.ConfigDict:
    base = ml_collections.ConfigDict(
        {
            "task": "toy", "seed": 3, "steps": 12, "batch_size": 16, "checkpoint_every": 4, "log_every": 3,
            "eval_every": 6, "keep": 3, "parallel": "mesh", "mesh": {"data": -1, "fsdp": 1, "tensor": 1},
            "data": {"eval_batches": 2}, "tensorboard": False, "ema_decay": 0.9, "init_from": "",
            "optimizer": {"lr": 1e-2, "warmup_steps": 2, "schedule": "cosine", "weight_decay": 1e-3, "clip": 1.0},
            "optimizer_adversary": {"lr": 3e-3},
        }
    )  # fmt: skip
    base.update(changes)
    return base


def batch(step: int, size: int = 16) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([7, step])
    x = rng.normal(size=(size, WIDTH)).astype(np.float32)
    return {"x": x, "y": np.sin(x).astype(np.float32), "index": np.arange(size, dtype=np.int32)}


def stream(start: int):
    step = start
    while True:
        yield batch(step)
        step += 1


def _net(params, x):
    return jnp.tanh(x @ params["first"]["kernel"] + params["first"]["bias"][None]) @ params["second"]["kernel"]


def _init(rng, example):
    keys = jax.random.split(rng, 4)
    return {
        player: {
            "first": {"kernel": 0.3 * jax.random.normal(keys[2 * n], (WIDTH, 32)), "bias": jnp.zeros(32)},
            "second": {"kernel": 0.3 * jax.random.normal(keys[2 * n + 1], (32, WIDTH if n == 0 else 1))},
        }
        for n, player in enumerate(("model", "adversary"))
    }


def _model_loss(params, example, rng, step, carry):
    noise = jax.vmap(lambda key: 0.1 * jax.random.normal(key, (WIDTH,)))(example_keys(rng, example["index"]))
    out = _net(params["model"], example["x"] + noise)
    l2 = jnp.mean((out - example["y"]) ** 2)
    fool = jnp.mean(jax.nn.softplus(-_net(params["adversary"], out)))
    return l2 + 0.1 * fool, ({"l2": l2, "fool": fool}, {**carry, "out": jax.lax.stop_gradient(out)})


def _adversary_loss(params, example, rng, step, carry):
    fake = _net(params["adversary"], carry["out"])
    real = _net(params["adversary"], example["y"])
    return jnp.mean(jax.nn.softplus(fake)) + jnp.mean(jax.nn.softplus(-real)), ({}, carry)


def _evaluate(params, example, rng):
    return {"l2": jnp.mean((_net(params["model"], example["x"]) - example["y"]) ** 2)}


def _images(params, example, rng):
    return {"grid": jnp.tile(jax.nn.sigmoid(_net(params["model"], example["x"]))[:, :, None], (1, 1, 3))}


def make(frozen: str = "") -> Task:
    return Task(NAME, _init, {"model": _model_loss, "adversary": _adversary_loss}, _evaluate, _images, frozen)
