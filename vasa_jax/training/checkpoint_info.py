"""What is known of a checkpoint on disk: its place in the run, whether it is whole, and which ones stay."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from vasa_jax.training import integrity

SCHEMA = 1
"""Of checkpoints. 0: TrainState without `norms`, in STEP/default, without a manifest."""
NEW_FIELDS = {1: ("norms",)}
"""Fields that TrainState has got with each schema. Older checkpoints start them at zero."""


@dataclasses.dataclass(frozen=True)
class CheckpointInfo:
    """A checkpoint on disk.

    Attributes:
      step: optimiser steps that its state has seen.
      batch: the next batch of the stream. Larger than `step` where a rollback went on with later data.
      seed: of the run; random draws are fold_in(key(seed), step).
      schema: see SCHEMA.
      metrics: held-out metrics taken at that step, if any.
    """

    step: int
    batch: int
    seed: int | None = None
    schema: int = SCHEMA
    metrics: dict[str, float] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class RetentionPolicy:
    """Which checkpoints stay: the newest `latest`, those at multiples of `every`, the one with the lowest `best`.

    `best` names a held-out metric, as "eval/l1_mouth"; with a minus before it, "-eval/mouth_cosine", higher is better.
    """

    latest: int = 3
    every: int = 0
    best: str = ""

    def chosen(self, found: Sequence[CheckpointInfo]) -> set[int]:
        """The steps that stay, of checkpoints in ascending order."""
        steps = [saved.step for saved in found]
        stay = set(steps[-max(self.latest, 1) :])
        if self.every:
            stay |= {step for step in steps if step % self.every == 0}
        name, sign = self.best.removeprefix("-"), -1.0 if self.best.startswith("-") else 1.0
        scored = [saved for saved in found if np.isfinite(saved.metrics.get(name, np.nan))]
        if name and scored:
            stay.add(min(scored, key=lambda saved: sign * saved.metrics[name]).step)
        return stay


def state_folder(folder: Path) -> Path:
    """Where Orbax's files lie in a checkpoint."""
    return folder / ("default" if (folder / "default").is_dir() else "state")


def read(folder: Path) -> CheckpointInfo:
    """What a checkpoint says of itself; its files are not looked at.

    Raises:
      ValueError: its manifest is damaged or missing.
    """
    step = int(folder.name)
    if not integrity.is_sealed(folder) and (folder / "default").is_dir():
        return CheckpointInfo(step, step, schema=0)
    facts = integrity.facts(folder)
    return CheckpointInfo(step, facts["batch"], facts["seed"], facts["schema"], facts["metrics"])


def damage(folder: Path) -> str | None:
    """Why a checkpoint cannot be trusted, or None. What schema 0 wrote can only be trusted."""
    unsealed = not integrity.is_sealed(folder) and (folder / "default").is_dir()
    return None if unsealed else integrity.damage(folder)


def steps(directory: Path) -> list[int]:
    """Steps of the checkpoints in a directory, ascending."""
    if not directory.is_dir():
        return []
    return sorted(int(entry.name) for entry in directory.iterdir() if entry.name.isdigit())
