"""How a run starts: from its own checkpoint, else from parameters taken elsewhere, else afresh."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np

from vasa_jax import weights
from vasa_jax.errors import InputError
from vasa_jax.training import checkpoint
from vasa_jax.training.partition import MeshPartitioner
from vasa_jax.training.task import Params, Task
from vasa_jax.training.train_step import TrainState, init_state, make_optimizers, path_name
from vasa_jax.training.trained import is_release, open_trained


def init_key(seed: int) -> Any:
    """Key for fresh parameters. XLA's own generator: hundreds of threefry draws take four times as long to compile."""
    return jax.random.key(seed, impl="rbg")


def shapes(config: ml_collections.ConfigDict, task: Task, batch: dict[str, np.ndarray]) -> TrainState:
    """Shapes of the train state; nothing is computed."""
    return jax.eval_shape(_init(config, task), batch)


def _init(config: ml_collections.ConfigDict, task: Task) -> Callable[[Any], TrainState]:
    return functools.partial(init_state, task, make_optimizers(config, task), init_key(config.seed))


def fresh_state(
    config: ml_collections.ConfigDict,
    task: Task,
    partitioner: MeshPartitioner,
    batch: dict[str, np.ndarray],
    say: Callable[[str], None],
) -> TrainState:
    """The state of step 0, with the parameters of config.init_from where that is set."""
    state = partitioner.init(_init(config, task), partitioner.put(batch))
    if source := config.get("init_from", None):
        params, missing, unused = merge(state.params, read_starts(source, task.name, task.players))
        say(f"parameters from {source}: {len(missing)} arrays start fresh, {len(unused)} were not used")
        for title, names in (("fresh", missing), ("not used", unused)):
            if names:
                say(f"  {title}: " + ", ".join(names[:8]) + (f", and {len(names) - 8} more" if names[8:] else ""))
        state = state.replace(params=params, ema=jax.tree.map(lambda leaf: leaf.copy(), params))
    return state


def read_starts(paths: str, task_name: str, players: tuple[str, ...]) -> dict[str, Any]:
    """Parameters {player: tree} from "A" or "A,B": a player is taken from the first of them that has it."""
    start: dict[str, Any] = {}
    for path in paths.split(","):
        start = read_start(path.strip(), task_name, players) | start
    return start


def read_start(path: str, task_name: str, players: tuple[str, ...]) -> dict[str, Any]:
    """Parameters {player: tree} to start from: a workdir's averages, or the first player's of a release or file."""
    if str(path).endswith(".safetensors"):
        return {players[0]: weights.load_params(Path(path))}
    if is_release(path):
        return {players[0]: open_trained(path, "motion" if task_name == "motion" else "face").params}
    if not Path(path).is_dir():
        raise InputError(f"init_from: {path} is no workdir and no release directory; correct config.init_from")
    return checkpoint.read_ema(Path(path))[1]


def merge(params: Params, start: dict[str, Any]) -> tuple[Params, list[str], list[str]]:
    """Replaces leaves of `params` by those of `start` with the same path and shape.

    Returns:
      (parameters, paths of `params` that found nothing, paths of `start` that were not used).
    """
    found = {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(start)}
    used, missing = set(), []

    def choose(path, leaf):
        name = path_name(path)
        other = found.get(name)
        if other is None or other.shape != leaf.shape:
            missing.append(name)
            return leaf
        used.add(name)
        return jax.device_put(np.asarray(other, leaf.dtype), leaf.sharding)

    merged = jax.tree_util.tree_map_with_path(choose, params)
    return merged, missing, sorted(set(found) - used)
