"""Examples of procedural heads, in order, made by as many processes as asked for."""

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import cv2

from data_pipelines import schema
from data_pipelines.synthetic.clip import make_clip

SPLITS = ("train", "validation", "test")
_HELD_OUT_EVERY = 12


def split_of(identity: int) -> str:
    """The split that an identity belongs to, in every configuration: one in twelve each for validation and test."""
    return {5: "validation", 11: "test"}.get(identity % _HELD_OUT_EVERY, "train")


def make_example(task: tuple[int, int, int, int]) -> dict[str, Any]:
    """The example of `schema` for (seed, identity, frames, size)."""
    cv2.setNumThreads(1)
    clip = make_clip(*task)
    return schema.make_example(
        clip["clip_id"],
        clip["speaker"],
        clip["frames"],
        clip["audio"],
        clip["mattes"],
        **{name: clip[name] for name in schema.PER_FRAME},
    )


def examples(tasks: Iterable[tuple[int, int, int, int]], processes: int = 1) -> Iterator[dict[str, Any]]:
    """Examples in the order of the tasks; the result does not depend on the number of processes."""
    yield from in_order(make_example, tasks, processes)


def in_order(make: Callable[[Any], Any], tasks: Iterable[Any], processes: int = 1) -> Iterator[Any]:
    """make(task) of each task, in their order, by as many processes as asked for."""
    if processes <= 1:
        yield from map(make, tasks)
        return
    # spawn: a fork of a process that holds TensorFlow threads may hang
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        yield from pool.imap(make, tasks, chunksize=1)
