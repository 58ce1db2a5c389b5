"""What a configuration would train, told without data, without a workdir and without training."""

import functools
import math
from typing import Any

import jax
import numpy as np

from vasa_jax.training.partition import make_partitioner
from vasa_jax.training.task import Task
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step, parameter_table

MARGIN = 1.25  # stored pictures span -1.25..1.25 of the model's square
SAMPLES = 640  # of audio a frame


def example_batch(config: Any) -> dict[str, np.ndarray]:
    """A batch of zeros with the shapes of the clip stream."""
    size = config.batch_size
    if config.task == "motion":
        return _windows(config, size)
    stored = round(MARGIN * config.model.size)
    batch: dict[str, np.ndarray] = {"index": np.arange(size, dtype=np.int32), "domain": np.zeros(size, np.int32)}
    labels = {
        "landmarks": (140, 3),
        "pose": (7,),
        "eyes": (2,),
        "gaze": (2,),
        "lids": (2,),
        "mouth": (2,),
        "emotion": (8,),
    }
    for name in ("source", "driver", "other"):
        batch[name] = np.zeros((size, stored, stored, 3), np.uint8)
        batch |= {f"{name}_{label}": np.zeros((size, *shape), np.float32) for label, shape in labels.items()}
    return batch


def _windows(config: Any, size: int) -> dict[str, np.ndarray]:
    frames = config.model.get("context", 10) + config.model.get("window", 50)
    shapes = {
        "audio": (frames * SAMPLES,),
        "motion": (frames, config.model.get("motion_dim", 39)),
        "gaze": (2,),
        "distance": (),
        "emotion": (8,),
        "mouth": (frames, 2),
    }
    batch: dict[str, np.ndarray] = {name: np.zeros((size, *shape), np.float32) for name, shape in shapes.items()}
    return batch | {
        "valid": np.ones((size, frames), bool),
        "index": np.arange(size, dtype=np.int32),
        "domain": np.zeros(size, np.int32),
    }


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def describe(config: Any, task: Task, batch: dict[str, np.ndarray], *, compile_step: bool = False) -> dict[str, Any]:
    """Prints and returns parameters by part, shapes of the batch and bytes of the state (and of the compiled step)."""
    optimizers = make_optimizers(config, task)
    state = jax.eval_shape(functools.partial(init_state, task, optimizers, jax.random.key(config.seed)), batch)
    parameters = parameter_table(state.params)
    memory = {"state": _bytes(state), "gradients": _bytes(state.params), "batch": _bytes(batch)}
    if compile_step:
        partitioner = make_partitioner(config)
        step = partitioner.step(lambda axis: make_train_step(task, optimizers, axis_name=axis), state)
        analysis = step.lower(state, batch, jax.random.key(config.seed)).compile().memory_analysis()
        memory["step_temporary"] = int(analysis.temp_size_in_bytes)
        memory["step_arguments"] = int(analysis.argument_size_in_bytes)
    width = max(len(name) for name in [*parameters, *batch])
    print("parameters")
    for name, count in parameters.items():
        print(f"  {name:<{width}} {count:>14,}")
    print("batch")
    for name, value in batch.items():
        print(f"  {name:<{width}} {value.dtype}{list(value.shape)}")
    print("memory (MiB)")
    for name, count in memory.items():
        print(f"  {name:<{width}} {count / 2**20:>14,.1f}")
    shapes = {name: {"dtype": str(value.dtype), "shape": list(value.shape)} for name, value in batch.items()}
    return {"parameters": parameters, "batch": shapes, "memory_bytes": memory}
