"""The real tasks at a size of nothing: tiny configurations with smaller layers, and batches drawn from their step."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import ml_collections
import numpy as np

from experiments.common import dry_run, tasks
from experiments.configs.face import tiny_64
from experiments.configs.motion import tiny
from vasa_jax import landmarks
from vasa_jax.ops.rotations import transform
from vasa_jax.training.task import Task

BATCH = 16


@dataclasses.dataclass(frozen=True)
class Case:
    """What is trained. `batch`: step -> the whole batch, every process's rows."""

    config: ml_collections.ConfigDict
    task: Task
    batch: Callable[[int], dict[str, np.ndarray]]


def _small(config: ml_collections.ConfigDict) -> ml_collections.ConfigDict:
    config.unlock()
    config.batch_size = BATCH
    config.steps = 40  # of which some are trained: the schedule has not ended
    config.fsdp_min_size = 64
    # Adam divides by the gradient's size: where it is nothing but rounding, rounding would decide on a whole step.
    config.optimizer.update({"warmup_steps": 2, "eps": 1e-4})
    return config


def _started_anywhere(task: Task) -> Task:
    """The task, from parameters of which none is zero.

    Warps start at zero, exactly on the cells' borders, where a linear interpolation has two slopes and the last bit of
    a coordinate says which: that would hide every other difference of the gradients.
    """

    def init(rng: jax.Array, batch: Any) -> Any:
        params = task.init(rng, batch)
        leaves, tree = jax.tree.flatten(params)
        keys = jax.random.split(jax.random.fold_in(rng, 1), len(leaves))
        return tree.unflatten([x + 0.02 * jax.random.normal(key, x.shape) for key, x in zip(keys, leaves)])

    return dataclasses.replace(task, init=init)


def face() -> Case:
    """tiny_64 at 32 px with its discriminator, which starts at step 5, and transfer losses on every other item."""
    config = _small(tiny_64.get_config())
    config.model.size = config.model.face_size = 32
    config.model.identity.size = config.model.pose.size = 32
    config.model.warp.widths = (16, 12)
    config.transfer_every = 2  # two items a device: in every layout the same items serve
    config.discriminator.update({"scales": 1, "widths": (8, 8)})
    config.loss_start.adversarial = 5
    example = dry_run.example_batch(config)

    def batch(step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([1, step])
        made = {name: rng.random(x.shape).astype(x.dtype) for name, x in example.items() if x.dtype == np.float32}
        made |= {"index": example["index"], "domain": example["domain"]}
        for name in ("source", "driver", "other"):
            pose = np.concatenate([rng.uniform(-0.2, 0.2, (BATCH, 6)), rng.uniform(0.9, 1.1, (BATCH, 1))], -1)
            made[f"{name}_pose"] = pose.astype(np.float32)
            points = transform(made[f"{name}_pose"], np.tile(landmarks.template(), (BATCH, 1, 1)))
            made[f"{name}_landmarks"] = np.asarray(points, np.float32)
            made[name] = rng.integers(0, 255, example[name].shape, dtype=np.uint8)
        return made

    return Case(config, _started_anywhere(tasks.make_task(config, None)), batch)


def motion() -> Case:
    """The tiny transformer with two layers and short windows."""
    config = _small(tiny.get_config())
    config.model.update({"width": 32, "depth": 2, "heads": 4, "window": 20, "context": 5, "bands": 16})
    config.model.update({"audio_blocks": 2, "lookahead": 3})
    example = dry_run.example_batch(config)
    width = config.model.motion_dim

    def batch(step: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([2, step])
        drawn = {name: rng.normal(size=x.shape).astype(x.dtype) for name, x in example.items() if x.dtype == np.float32}
        return {**example, **drawn, "audio": 0.1 * drawn["audio"]}

    stats = {"mean": [0.0] * width, "std": [1.0] * width, "mouth_readout": [0.1] * width}
    return Case(config, tasks.make_task(config, stats), batch)


CASES: dict[str, Callable[[], Case]] = {"face": face, "motion": motion}
