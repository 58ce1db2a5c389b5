"""Checkpoints of the train state (Orbax, asynchronous, atomic) and starting parameters taken from elsewhere."""

import json
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp

from vasa_jax import weights
from vasa_jax.errors import InputError
from vasa_jax.training.task import Params
from vasa_jax.training.train_step import TrainState, path_name


class Checkpoints:
    """Saves under DIRECTORY/STEP in the background and keeps the newest `keep`."""

    def __init__(self, directory: Path, keep: int = 3):
        options = ocp.CheckpointManagerOptions(max_to_keep=keep, create=True, enable_async_checkpointing=True)
        self.directory = directory.absolute()
        self.manager = ocp.CheckpointManager(self.directory, options=options)

    def latest(self) -> int | None:
        """Step of the newest whole checkpoint."""
        return self.manager.latest_step()

    def save(self, step: int, state: TrainState) -> None:
        """Copies the state to the host, then writes it in the background; a step already saved is left alone."""
        if step not in self.manager.all_steps():
            self.manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, step: int, abstract: Any, shardings: Any) -> TrainState:
        """The state of that step in the layout of `shardings`, whatever the layout it was saved from."""
        target = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding), abstract, shardings
        )
        try:
            return self.manager.restore(step, args=ocp.args.StandardRestore(target))
        except (ValueError, KeyError, TypeError) as error:
            first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
            raise InputError(
                f"{self.directory}/{step} does not fit this configuration ({first}); "
                "use the configuration it was trained with, or another --workdir"
            ) from error

    def close(self) -> None:
        """Waits until everything is on disk."""
        self.manager.wait_until_finished()
        self.manager.close()


def read_ema(workdir: Path) -> tuple[int, dict[str, Any]]:
    """(step, averaged parameters {player: nested dict of numpy}) of a workdir's newest checkpoint, on any machine."""
    directory = Path(workdir).absolute() / "checkpoints"
    steps = [int(entry.name) for entry in directory.glob("*") if entry.name.isdigit()] if directory.is_dir() else []
    if not steps:
        raise InputError(f"{workdir} holds no checkpoint (looked for checkpoints/STEP); train there first")
    step = max(steps)
    path = directory / str(step) / "default"
    with ocp.PyTreeCheckpointer() as checkpointer:
        tree = checkpointer.metadata(path).item_metadata.tree
        # As numpy: without a target Orbax would ask for the devices the state was saved on.
        numpy_args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        restored = checkpointer.restore(path, restore_args=numpy_args)
    return step, restored["ema"]


def read_start(path: str, task_name: str, players: tuple[str, ...]) -> dict[str, Any]:
    """Parameters {player: tree} to start from: a workdir's averages, or the first player's of a release or file."""
    if str(path).endswith(".safetensors"):
        return {players[0]: weights.load_params(Path(path))}
    if path == weights.BUNDLED or (Path(path) / "config.json").is_file():
        release = weights.load_release(path)
        params = release.motion_params if task_name == "motion" else release.face_params
        if params is None:
            raise InputError(f"init_from: {path} holds no {task_name} model; name a release or workdir that has one")
        return {players[0]: params}
    if not Path(path).is_dir():
        raise InputError(f"init_from: {path} is no workdir and no release directory; correct config.init_from")
    return read_ema(Path(path))[1]


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


def read_manifest(workdir: Path) -> dict[str, Any]:
    """run_manifest.json of a workdir."""
    path = Path(workdir) / "run_manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}); is {workdir} a training workdir?") from error
