"""Examples of rigged heads, in order, made by as many processes as asked for, and who belongs to which split."""

import os
import pathlib
from typing import Any, NamedTuple

import cv2

from data_pipelines import schema
from data_pipelines.rigged_heads import readers
from data_pipelines.rigged_heads.clip import make_clip

_HELD_OUT = {"validation": 4, "test": 9}
_EVERY = 10


class Task(NamedTuple):
    """A clip to be drawn."""

    path: pathlib.Path
    seed: int
    frames: int
    size: int
    photographs: tuple[pathlib.Path, ...] = ()


def splits(folder: str | os.PathLike) -> dict[str, list[pathlib.Path]]:
    """Heads of each split: of ten in the order of their names one is validation and one is test.

    With fewer than ten the last is test and the one before it validation.

    Raises:
      InputError: there are fewer than three heads in the folder.
    """
    paths = readers.find(folder, at_least=3)
    held_out = {name: {k for k in range(len(paths)) if k % _EVERY == at} for name, at in _HELD_OUT.items()}
    if len(paths) < _EVERY:
        held_out = {"validation": {len(paths) - 2}, "test": {len(paths) - 1}}
    out: dict[str, list[pathlib.Path]] = {"train": [], "validation": [], "test": []}
    for k, path in enumerate(paths.values()):
        out[next((name for name, chosen in held_out.items() if k in chosen), "train")].append(path)
    return out


def make_example(task: Task) -> dict[str, Any]:
    """The example of `schema` for a task."""
    cv2.setNumThreads(1)
    clip = make_clip(*task)
    per_frame = {name: clip[name] for name in schema.PER_FRAME}
    return schema.make_example(
        clip["clip_id"], clip["speaker"], clip["frames"], clip["audio"], clip["mattes"], **per_frame
    )
