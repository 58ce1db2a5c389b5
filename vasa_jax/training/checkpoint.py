"""Checkpoints of the train state: written in the background (Orbax), sealed, whole or absent, on any layout of devices.

    DIRECTORY/STEP/state            the train state as Orbax writes it
    DIRECTORY/STEP/manifest.json    the seal: SHA-256 of every file, schema, step, place in the data, seed, metrics
    DIRECTORY/.saving               what is being written; whatever a killed run left there is swept at the next start
    DIRECTORY/damaged-STEP          what the seal did not fit, set aside

A checkpoint gets its name by one rename after its manifest is on disk, and counts only if the manifest fits.
"""

import dataclasses
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import orbax.checkpoint as ocp
from jax.experimental import multihost_utils

from vasa_jax.errors import InputError
from vasa_jax.training import integrity
from vasa_jax.training.checkpoint_info import (
    NEW_FIELDS,
    SCHEMA,
    CheckpointInfo,
    RetentionPolicy,
    damage,
    read,
    state_folder,
    steps,
)
from vasa_jax.training.train_step import TrainState

ROOM = 2.0
"""Free space asked for before a save, as a multiple of the state: two checkpoints lie side by side for a while."""
MISSED = 3
"""Saves in a row that may fail before the run ends."""
_WRITING = ".saving"


class Checkpoints:
    """Saves to DIRECTORY/STEP in the background, and finds the newest one that is whole.

    Args:
      say: gets a line about everything that went wrong here.
    """

    def __init__(self, directory: Path, keep: RetentionPolicy | int = 3, say: Callable[[str], None] = print):
        self.directory, self.say = directory.absolute(), say
        self.keep = keep if isinstance(keep, RetentionPolicy) else RetentionPolicy(keep)
        self.primary = jax.process_index() == 0
        self.missed = 0  # saves in a row that did not come about
        self.stall = 0.0  # seconds that the last save held its caller up
        self._writer = ocp.AsyncCheckpointer(ocp.StandardCheckpointHandler())
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None
        if self.primary:
            self.directory.mkdir(parents=True, exist_ok=True)
            shutil.rmtree(self.directory / _WRITING, ignore_errors=True)

    # ---- finding ------------------------------------------------------------------------------------

    def newest(self, before: int | None = None) -> CheckpointInfo | None:
        """The newest whole checkpoint (older than step `before`). Damaged ones that are newer are set aside.

        Raises:
          InputError: there are checkpoints, and none of them is whole.
        """
        found = self._newest(before) if self.primary else None
        if jax.process_count() > 1:
            values = (-1, 0, 0, 0) if found is None else (found.step, found.batch, found.seed or 0, found.schema)
            step, batch, seed, schema = _as_primary(values)
            found = None if step < 0 else CheckpointInfo(step, batch, seed, schema)
        if found is not None and found.schema > SCHEMA:
            raise InputError(
                f"{self.directory}/{found.step} is of checkpoint schema {found.schema}, this version reads up to "
                f"{SCHEMA}; update vasa_jax, or name another --workdir"
            )
        return found

    def _newest(self, before: int | None) -> CheckpointInfo | None:
        for step in reversed(steps(self.directory)):
            if before is not None and step >= before:
                continue
            folder = self.directory / str(step)
            if (text := damage(folder)) is None:
                return read(folder)
            self.say(f"checkpoint {folder} is damaged: {text}; it is set aside, and the one before it is tried")
            self._set_aside(folder)
        if before is None and any(self.directory.glob("damaged-*")):
            raise InputError(
                f"{self.directory}: none of the checkpoints is whole (damaged-*); remove the folder to start anew"
            )
        return None

    def _set_aside(self, folder: Path) -> None:
        target = folder.with_name(f"damaged-{folder.name}")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(folder, target)

    def discard_after(self, step: int) -> None:
        """Forgets what is newer than a step to which the run has gone back."""
        self.wait()
        for newer in (other for other in steps(self.directory) if other > step and self.primary):
            shutil.rmtree(self.directory / str(newer), ignore_errors=True)

    # ---- writing ------------------------------------------------------------------------------------

    def save(self, state: TrainState, saved: CheckpointInfo) -> bool:
        """Copies the state to the host, then writes it in the background; a step already saved is left alone.

        Returns:
          Whether it is being written: not where the disk is full. `missed` counts saves that failed in a row.

        Raises:
          InputError: this is the third of them.
        """
        begun = time.monotonic()
        begins = self._save(state, saved)
        self.stall = time.monotonic() - begun
        if self.missed >= MISSED:
            raise InputError(
                f"{self.missed} checkpoints in a row could not be written under {self.directory}; make room there, "
                "then run the same command again"
            )
        return begins

    def _save(self, state: TrainState, saved: CheckpointInfo) -> bool:
        self.wait()
        final, writing = self.directory / str(saved.step), self.directory / _WRITING / str(saved.step)
        asked = ROOM * sum(leaf.nbytes for leaf in jax.tree.leaves(state)) / 1e9
        free = shutil.disk_usage(self.directory).free / 1e9 if self.primary else 0.0
        exists, room = _as_primary((final.is_dir(), free >= asked))
        if exists:
            return True
        if not room:
            self._miss(f"step {saved.step} is not saved: {free:.2f} GB are free, {asked:.2f} asked")
            return False
        try:
            if self.primary:
                shutil.rmtree(writing, ignore_errors=True)
                writing.mkdir(parents=True)
            self._writer.save(writing / "state", args=ocp.args.StandardSave(state))
        except Exception as error:  # a full or broken disk says so in many ways
            self._miss(f"step {saved.step} is not saved: {_first_line(error)}")
            return False
        self._thread = threading.Thread(target=self._commit, args=(writing, final, saved), name="commit")
        self._thread.start()
        return True

    def _commit(self, writing: Path, final: Path, saved: CheckpointInfo) -> None:
        """In the background: waits for the writing, seals it, gives it its name, and removes what is not kept."""
        try:
            self._writer.wait_until_finished()
            if self.primary:
                integrity.seal(writing, dataclasses.asdict(saved))
                os.replace(writing, final)
                self._prune()
            self.missed = 0
        except BaseException as error:  # told at the next save: a thread has nobody to raise to
            self._failure = error

    def _prune(self) -> None:
        found = []
        for step in steps(self.directory):
            try:
                found.append(read(self.directory / str(step)))
            except ValueError:
                continue  # damaged: for whoever wants to look at it
        stay = self.keep.chosen(found)
        for saved in found:
            if saved.step not in stay:
                shutil.rmtree(self.directory / str(saved.step), ignore_errors=True)

    def _miss(self, text: str) -> None:
        self.missed += 1
        shutil.rmtree(self.directory / _WRITING, ignore_errors=True)
        self.say(f"{text} (under {self.directory}); training goes on, the checkpoint before stays")

    def wait(self) -> None:
        """Until what is under way is on disk; says so if it failed."""
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        if self._failure is not None:
            failure, self._failure = self._failure, None
            self._miss(f"the last checkpoint was not written: {_first_line(failure)}")

    def close(self) -> None:
        """Waits until everything is on disk."""
        self.wait()
        self._writer.close()

    # ---- reading ------------------------------------------------------------------------------------

    def restore(self, saved: CheckpointInfo, abstract: TrainState, shardings: TrainState) -> TrainState:
        """That state in the layout of `shardings`, whatever layout and schema it was saved in."""
        fields = {name: getattr(abstract, name) for name in abstract.__dataclass_fields__}
        places = {name: getattr(shardings, name) for name in fields}
        new = [name for schema, names in NEW_FIELDS.items() if schema > saved.schema for name in names]
        target = jax.tree.map(
            lambda leaf, sharding: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=sharding),
            {name: value for name, value in fields.items() if name not in new},
            {name: value for name, value in places.items() if name not in new},
        )
        folder = self.directory / str(saved.step)
        try:
            found = self._writer.restore(state_folder(folder), args=ocp.args.StandardRestore(target))
        except Exception as error:  # Orbax and TensorStore raise plain ones, too
            raise InputError(
                f"{folder} does not fit this configuration ({_first_line(error)}); "
                "use the configuration it was trained with, or another --workdir"
            ) from error
        for name in new:
            zeros = jax.jit(lambda name=name: jax.tree.map(_zeros, fields[name]), out_shardings=places[name])
            found[name] = zeros()
        return type(abstract)(**found)


def _as_primary(values: Sequence[int]) -> list[int]:
    """The first host's values, on every host: one looks at the disk, all follow."""
    if jax.process_count() == 1:
        return list(values)
    return [int(value) for value in multihost_utils.broadcast_one_to_all(np.asarray(values, np.int32))]


def _zeros(leaf: jax.ShapeDtypeStruct) -> jax.Array:
    return jax.numpy.zeros(leaf.shape, leaf.dtype)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def read_arrays(workdir: Path) -> tuple[int, dict[str, Any]]:
    """(step, every field of the train state as nested dicts of numpy) of a workdir's newest whole checkpoint.

    Works on any machine: without a target Orbax would ask for the devices that the state was saved on.
    """
    directory = Path(workdir).absolute() / "checkpoints"
    found = steps(directory)
    if not found:
        raise InputError(f"{workdir} holds no checkpoint (looked for checkpoints/STEP); train there first")
    step = next((step for step in reversed(found) if damage(directory / str(step)) is None), None)
    if step is None:
        raise InputError(f"{directory}: every checkpoint is damaged; train there again")
    path = state_folder(directory / str(step))
    with ocp.PyTreeCheckpointer() as checkpointer:
        tree = checkpointer.metadata(path).item_metadata.tree
        numpy_args = jax.tree.map(lambda _: ocp.RestoreArgs(restore_type=np.ndarray), tree)
        return step, checkpointer.restore(path, restore_args=numpy_args)


def read_ema(workdir: Path) -> tuple[int, dict[str, Any]]:
    """(step, averaged parameters {player: nested dict of numpy}) of a workdir's newest whole checkpoint."""
    step, state = read_arrays(workdir)
    return step, state["ema"]


def read_manifest(workdir: Path) -> dict[str, Any]:
    """run_manifest.json of a workdir."""
    path = Path(workdir) / "run_manifest.json"
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, json.JSONDecodeError) as error:
        raise InputError(f"{path} cannot be read ({type(error).__name__}); is {workdir} a training workdir?") from error
