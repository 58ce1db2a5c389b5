"""A training and how far it went from another."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.equality.cases import Case
from vasa_jax import files
from vasa_jax.training.partition import MeshPartitioner, accumulation
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step, path_name


class Course(NamedTuple):
    """Losses and gradient norms [steps, k], and the parameters of all players at the end by their path."""

    losses: np.ndarray
    params: dict[str, np.ndarray]

    def save(self, path: str | Path) -> None:
        """Writes one .npz file."""
        with files.replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, losses=self.losses, **{f"params/{name}": leaf for name, leaf in self.params.items()})

    @classmethod
    def load(cls, path: str | Path) -> "Course":
        with np.load(path) as found:
            arrays = dict(found)
        losses = arrays.pop("losses")
        return cls(losses, {name.removeprefix("params/"): leaf for name, leaf in arrays.items()})


def train(case: Case, partitioner: MeshPartitioner, steps: int, *, nudge: float = 0.0) -> Course:
    """Trains on a layout; each process brings its own rows of every batch.

    Args:
      nudge: every parameter is multiplied by 1 + nudge or 1 - nudge at the start, by its place.
    """
    config, task = case.config, case.task
    optimizers = make_optimizers(config, task)
    init = functools.partial(init_state, task, optimizers, jax.random.key(config.seed, impl="rbg"))
    batch = partitioner.put(own_rows(case.batch(0)))
    abstract = jax.eval_shape(init, batch)
    state = partitioner.init(init, batch)
    state = jax.jit(functools.partial(_nudged, nudge=nudge), donate_argnums=0)(state) if nudge else state
    parts = accumulation(config, partitioner.batch_parts)
    make = functools.partial(make_train_step, task, optimizers, accumulate=parts)
    step = partitioner.step(make, abstract)
    key, losses = partitioner.seed_key(5), []
    for number in range(steps):
        state, metrics = step(state, partitioner.put(own_rows(case.batch(number))), key)
        names = [name for name in sorted(metrics) if name.startswith(("loss", "grad_norm"))]
        losses.append([float(metrics[name]) for name in names])
    whole = jax.jit(lambda params: params, out_shardings=partitioner.replicated)(state.params)
    leaves = jax.tree_util.tree_leaves_with_path(whole)
    return Course(np.asarray(losses), {path_name(path): np.asarray(leaf.addressable_data(0)) for path, leaf in leaves})


def own_rows(batch: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """This process's rows of a batch."""
    size = len(batch["index"]) // jax.process_count()
    return {name: value[jax.process_index() * size :][:size] for name, value in batch.items()}


def _nudged(state: Any, nudge: float) -> Any:
    def one(leaf: jax.Array) -> jax.Array:
        return leaf * (1.0 + nudge * (1.0 - 2.0 * (jnp.arange(leaf.size).reshape(leaf.shape) % 2)))

    params = jax.tree.map(one, state.params)
    return state.replace(params=params, ema=jax.tree.map(jnp.copy, params))


def difference(course: Course, expected: Course) -> dict[str, float]:
    """Largest differences: of losses and norms relative to each (first step; all steps), of parameters as they are."""
    losses = np.abs(course.losses - expected.losses) / np.maximum(np.abs(expected.losses), 1e-6)
    return {
        "losses_first_step": float(losses[0].max()),
        "losses_all_steps": float(losses.max()),
        "parameters": float(max(np.abs(course.params[name] - leaf).max() for name, leaf in expected.params.items())),
    }
