"""What a configuration would train, told without data, without a workdir and without training."""

import dataclasses
import functools
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import ml_collections
import numpy as np

from data_pipelines import items, schema
from experiments.common import agreement, tasks
from vasa_jax import conditions
from vasa_jax.training.partition import accumulation, make_partitioner
from vasa_jax.training.task import Task
from vasa_jax.training.train_step import (
    TrainState,
    init_state,
    make_optimizers,
    make_train_step,
    parameter_table,
)


def example_batch(config: Any) -> dict[str, np.ndarray]:
    """A batch of zeros with the shapes of the clip stream."""
    size = config.batch_size
    if config.task == "motion":
        return _windows(config, size)
    if config.task == "generator":
        return _generator_inputs(config, size)
    return _pairs(config, size)


def _pairs(config: Any, size: int) -> dict[str, np.ndarray]:
    stored = schema.stored_size(config.model.size)
    batch: dict[str, np.ndarray] = {"index": np.arange(size, dtype=np.int32), "domain": np.zeros(size, np.int32)}
    labels = {label: schema.PER_FRAME[label][0] for label in items.PAIR_LABELS}
    for name in ("source", "driver", "other"):
        batch[name] = np.zeros((size, stored, stored, 3), np.uint8)
        batch |= {f"{name}_{label}": np.zeros((size, *shape), np.float32) for label, shape in labels.items()}
    return batch


def _generator_inputs(config: Any, size: int) -> dict[str, np.ndarray]:
    """What is stored of pairs (`generator_task.stored_inputs`)."""
    from vasa_jax.training.generator_task import make_generator_task, stored_inputs

    key = example_key()
    params = jax.eval_shape(lambda key: make_generator_task(config).init(key, {}), key)
    stored = jax.eval_shape(stored_inputs(config), params, _pairs(config, size), key)
    batch = {name: np.zeros(x.shape, x.dtype) for name, x in stored.items()}
    return batch | {"index": np.arange(size, dtype=np.int32), "domain": np.zeros(size, np.int32)}


def _windows(config: Any, size: int) -> dict[str, np.ndarray]:
    model = agreement.motion_config(config)
    frames = model.frames
    shapes = {"audio": (frames * schema.SAMPLES_PER_FRAME,), "motion": (frames, model.motion_dim)}
    shapes |= {condition.name: condition.shape for condition in model.told} | {"mouth": (frames, 2)}
    if model.per_frame:
        shapes["tracks"] = (frames, conditions.width(model.conditions))
    batch: dict[str, np.ndarray] = {name: np.zeros((size, *shape), np.float32) for name, shape in shapes.items()}
    return batch | {
        "valid": np.ones((size, frames), bool),
        "index": np.arange(size, dtype=np.int32),
        "domain": np.zeros(size, np.int32),
    }


def operations(model: Any, params: Any) -> dict[str, int]:
    """Multiplications and additions of encoding one portrait and of decoding one frame, from shapes alone."""
    from vasa_jax.models.face_latent import FaceLatentModel
    from vasa_jax.training import flops

    network = FaceLatentModel(ml_collections.FrozenConfigDict(model))

    def method(name: str) -> Any:
        return lambda params, *args: network.apply({"params": params}, *args, method=name)

    image = jax.ShapeDtypeStruct((1, model.size, model.size, 3), jnp.float32)
    latents = jax.eval_shape(method("encode"), params, image)
    return {
        "encode": flops.count(method("encode"), params, image),
        "decode": flops.count(method("decode"), params, latents, latents.pose, latents.dynamics),
    }


def example_key() -> jax.ShapeDtypeStruct:
    """Shape of the seed key that a step takes."""
    return jax.eval_shape(lambda: jax.random.key(0))


def example_task(config: Any, batch: dict[str, Any]) -> Task:
    """The configuration's task, with what it freezes; motion is standardised by nothing."""
    width = batch["motion"].shape[-1] if "motion" in batch else 0
    task = tasks.make_task(config, {"mean": [0.0] * width, "std": [1.0] * width} if width else None)
    return dataclasses.replace(task, frozen=config.frozen) if config.get("frozen", "") else task


def pure_step(
    config: Any, batch_size: int, parts: int = 1
) -> tuple[Callable[..., Callable], TrainState, dict[str, Any], Any]:
    """`make_train_step` of a configuration for a partitioner to complete; shapes of its state, batch and networks.

    Args:
      parts: that the batch is split into over devices; only checked, against config.accumulate.
    """
    config = tasks.changeable(config)
    config.batch_size = batch_size
    batch = {name: jax.ShapeDtypeStruct(x.shape, x.dtype) for name, x in example_batch(config).items()}
    task = example_task(config, batch)
    optimizers = make_optimizers(config, task)
    state = jax.eval_shape(functools.partial(init_state, task, optimizers), example_key(), batch)
    options = {"ema_decay": config.ema_decay, "accumulate": accumulation(config, parts)}
    networks = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype), task.networks)
    return functools.partial(make_train_step, task, optimizers, **options), state, batch, networks


def step_operations(config: Any, batch_size: int) -> int:
    """Multiplications and additions that a step asks for, without what is computed again to save memory."""
    from vasa_jax.training import flops

    config = tasks.changeable(config)
    if config.task in ("face", "dynamics", "generator"):
        config.model.block = {**config.model.get("block", {}), "remat": ""}
    elif config.task == "motion":
        config.model.remat = ""
    make, state, batch, networks = pure_step(config, batch_size)
    return flops.count(make(), state, batch, example_key(), networks)


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def describe(config: Any, task: Task, batch: dict[str, np.ndarray], *, compile_step: bool = False) -> dict[str, Any]:
    """Prints and returns parameters by part, operations, shapes of the batch, bytes of the state (and of the step)."""
    optimizers = make_optimizers(config, task)
    state = jax.eval_shape(functools.partial(init_state, task, optimizers, jax.random.key(config.seed)), batch)
    parameters = parameter_table(state.params)
    memory = {"state": _bytes(state), "gradients": _bytes(state.params), "batch": _bytes(batch)}
    if networks := _bytes(task.networks):
        memory["networks"] = networks
    if compile_step:
        partitioner = make_partitioner(config)
        make = functools.partial(
            make_train_step, task, optimizers, accumulate=accumulation(config, partitioner.batch_parts)
        )
        step = partitioner.step(make, state)
        analysis = step.lower(state, batch, jax.random.key(config.seed), task.networks).compile().memory_analysis()
        memory["step_temporary"] = int(analysis.temp_size_in_bytes)
        memory["step_arguments"] = int(analysis.argument_size_in_bytes)
    counted = operations(config.model, state.params["model"]) if "appearance" in config.model else {}
    width = max(len(name) for name in [*parameters, *batch])
    print("parameters")
    for name, count in parameters.items():
        print(f"  {name:<{width}} {count:>14,}")
    if counted:
        print("operations (GFLOP an image)")
    for name, count in counted.items():
        print(f"  {name:<{width}} {count / 1e9:>14,.3f}")
    print("batch")
    for name, value in batch.items():
        print(f"  {name:<{width}} {value.dtype}{list(value.shape)}")
    print("memory (MiB)")
    for name, count in memory.items():
        print(f"  {name:<{width}} {count / 2**20:>14,.1f}")
    shapes = {name: {"dtype": str(value.dtype), "shape": list(value.shape)} for name, value in batch.items()}
    report = {"parameters": parameters, "batch": shapes, "memory_bytes": memory}
    return report | ({"operations": counted} if counted else {})
