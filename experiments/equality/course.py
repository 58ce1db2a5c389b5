"""A training and how far it went from another."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax

from experiments.equality.cases import Case
from vasa_jax import files
from vasa_jax.training.partition import MeshPartitioner, accumulation
from vasa_jax.training.train_step import init_state, make_optimizers, make_train_step, path_name

_TREES = ("gradients", "params")


class Course(NamedTuple):
    """Losses and gradient norms [steps, k]; of all players the first step's gradients and the last parameters."""

    losses: np.ndarray
    gradients: dict[str, np.ndarray]
    params: dict[str, np.ndarray]

    def save(self, path: str | Path) -> None:
        """Writes one .npz file."""
        trees = {f"{kind}/{name}": leaf for kind in _TREES for name, leaf in getattr(self, kind).items()}
        with files.replacing(path) as temporary, open(temporary, "wb") as file:
            np.savez(file, losses=self.losses, **trees)

    @classmethod
    def load(cls, path: str | Path) -> "Course":
        with np.load(path) as found:
            arrays = dict(found)
        trees = {
            kind: {k.removeprefix(f"{kind}/"): x for k, x in arrays.items() if k.startswith(f"{kind}/")}
            for kind in _TREES
        }
        return cls(arrays["losses"], **trees)


def train(case: Case, partitioner: MeshPartitioner, steps: int, *, nudge: float = 0.0) -> Course:
    """Trains on a layout; each process brings its own rows of every batch.

    Args:
      nudge: every parameter is multiplied by 1 + nudge or 1 - nudge at the start, by its place.
    """
    config, task = case.config, case.task
    optimizers = {player: optax.chain(_remember(), tx) for player, tx in make_optimizers(config, task).items()}
    init = functools.partial(init_state, task, optimizers, jax.random.key(config.seed, impl="rbg"))
    batch = partitioner.put(own_rows(case.batch(0)))
    abstract = jax.eval_shape(init, batch)
    state = partitioner.init(init, batch)
    state = jax.jit(functools.partial(_nudged, nudge=nudge), donate_argnums=0)(state) if nudge else state
    parts = accumulation(config, partitioner.batch_parts)
    make = functools.partial(make_train_step, task, optimizers, accumulate=parts)
    step = partitioner.step(make, abstract)
    key, networks, losses, gradients = partitioner.seed_key(5), partitioner.place(task.networks), [], {}
    for number in range(steps):
        state, metrics = step(state, partitioner.put(own_rows(case.batch(number))), key, networks)
        if not number:
            seen = {player: found[0] for player, found in state.opt_state.items()}
            gradients = _whole(partitioner, seen)
        names = [name for name in sorted(metrics) if name.startswith(("loss", "grad_norm"))]
        losses.append([float(metrics[name]) for name in names])
    return Course(np.asarray(losses), gradients, _whole(partitioner, state.params))


def _remember() -> optax.GradientTransformation:
    """Keeps the gradients that go through as its state, which is laid out as they are."""
    return optax.GradientTransformation(
        lambda params: jax.tree.map(jnp.zeros_like, params), lambda updates, state, params=None: (updates, updates)
    )


def _whole(partitioner: MeshPartitioner, tree: Any) -> dict[str, np.ndarray]:
    """Every leaf by its path, put together from all devices."""
    whole = jax.jit(lambda tree: tree, out_shardings=partitioner.replicated)(tree)
    leaves = jax.tree_util.tree_leaves_with_path(whole)
    return {path_name(path): np.asarray(leaf.addressable_data(0)) for path, leaf in leaves}


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
    """Largest differences from the expected course.

    Of losses and norms relative to each (first step; all steps); of the first step's gradients, parameter by parameter,
    relative to its length, or to a hundredth of the median length where it is shorter (of what norms take out again
    only rounding is left); of parameters as they are.
    """
    losses = np.abs(course.losses - expected.losses) / np.maximum(np.abs(expected.losses), 1e-6)
    lengths = {name: np.linalg.norm(leaf) for name, leaf in expected.gradients.items()}
    least = 0.01 * np.median(list(lengths.values()))
    off = [np.linalg.norm(course.gradients[k] - x) / max(lengths[k], least) for k, x in expected.gradients.items()]
    return {
        "losses_first_step": float(losses[0].max()),
        "gradients_first_step": float(np.max(off)),
        "losses_all_steps": float(losses.max()),
        "parameters": float(np.max([np.abs(course.params[k] - x).max() for k, x in expected.params.items()])),
    }
