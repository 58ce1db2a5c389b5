"""Training runs in child processes that can be killed at any moment, and what is left of them.

Children come from a fork server that has everything imported: a kill costs a second, not ten.
"""

import dataclasses
import functools
import mmap
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

CASES = ("toy", "face", "motion")


@dataclasses.dataclass(frozen=True)
class Kill:
    """When a child kills itself (SIGKILL): `seconds` after batch `at` of the stream was asked for, counted from its
    first. `signal` may be another one.
    """

    at: int = 0
    seconds: float = 0.0
    signal: int = signal.SIGKILL


def make(case: str) -> tuple[Any, Any, Callable[[int], dict[str, np.ndarray]]]:
    """(configuration, task, batch of a number) of the toy, or of the smallest model of a stage."""
    if case == "toy":
        from tests.training import toy

        return toy.config(), toy.make(), toy.batch
    if case == "face":
        from tests.training import test_face_task
        from vasa_jax.training.face_task import make_face_task

        config = test_face_task._config().copy_and_resolve_references()
        config.loss_start.adversarial = 0
        batch = test_face_task._batch()
        images = ("source", "driver", "other")
        change = lambda n: {name: batch[name] + np.uint8(n) for name in images}  # noqa: E731
        return config, make_face_task(config), lambda n: batch | change(n)
    from tests.training import test_motion_task
    from vasa_jax.training.motion_task import make_motion_task

    config = _motion_config(test_motion_task)
    task = make_motion_task(config, test_motion_task.STATS)
    return config, task, lambda n: test_motion_task.batch(config.batch_size, seed=n)


def _motion_config(source: Any) -> Any:
    from experiments.configs.motion import tiny

    config = tiny.get_config()
    config.model = source.config().model
    config.loss = source.config().loss
    config.batch_size = 4
    return config


def _watched(batch: Callable[[int], dict], place: Path, kill: Kill | None) -> Callable[[int], Iterator[dict]]:
    """A stream that leaves behind which batch was asked for last, and kills its process when it is time."""
    with open(place, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 16)

    def strike() -> None:
        time.sleep(kill.seconds)
        os.kill(os.getpid(), kill.signal)

    def stream(start: int) -> Iterator[dict]:
        memory[:8] = start.to_bytes(8, "little")
        number = start
        while True:
            memory[8:] = number.to_bytes(8, "little")
            if kill is not None and number == start + kill.at:
                threading.Thread(target=strike, daemon=True).start() if kill.seconds else strike()
            yield batch(number)
            number += 1

    return stream


def _run(case: str, workdir: Path, cache: str, changes: dict[str, Any], kill: Kill | None) -> None:
    """The child's work."""
    import jax

    from vasa_jax.training import loop

    jax.config.update("jax_compilation_cache_dir", cache)
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", 0)
    sys.stdout = sys.stderr = open(workdir.with_suffix(".log"), "a", encoding="utf-8", buffering=1)
    config, task, batch = make(case)
    config.update({"tensorboard": False, "eval_every": 0, **changes})
    place = workdir.with_suffix(".place")
    result = loop.train(config, task, _watched(batch, place, kill), None, workdir)
    sys.exit(42 if result.preempted else 0)


@functools.cache
def _server() -> Any:
    server = multiprocessing.get_context("forkserver")
    server.set_forkserver_preload(["jax", "orbax.checkpoint", "vasa_jax.training.loop", "tests.training.toy"])
    return server


@dataclasses.dataclass(frozen=True)
class Ended:
    """How a child ended: exit code (-9: killed), the batch it began with, and the last one it asked for."""

    code: int
    began: int
    reached: int


def run(case: str, workdir: Path, cache: Path | str, changes: dict[str, Any], kill: Kill | None = None) -> Ended:
    """Trains in a child of one device, until the end or the kill."""
    place = workdir.with_suffix(".place")
    place.write_bytes(bytes(16))
    before = {name: os.environ.get(name) for name in ("XLA_FLAGS", "JAX_PLATFORMS")}
    os.environ.update({"XLA_FLAGS": "", "JAX_PLATFORMS": "cpu"})
    try:
        child = _server().Process(target=_run, args=(case, workdir, str(cache), changes, kill))
        child.start()
        child.join()
    finally:
        for name, value in before.items():
            os.environ.pop(name, None) if value is None else os.environ.update({name: value})
    data = place.read_bytes()
    return Ended(child.exitcode, int.from_bytes(data[:8], "little"), int.from_bytes(data[8:], "little"))


def state(workdir: Path) -> dict[str, np.ndarray]:
    """Every array of the newest whole checkpoint, by path."""
    import jax

    from vasa_jax.training import checkpoint
    from vasa_jax.training.train_step import path_name

    _, tree = checkpoint.read_arrays(workdir)
    return {path_name(path): leaf for path, leaf in jax.tree_util.tree_leaves_with_path(tree)}


def same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    """Whether they hold the same bits."""
    return one.keys() == other.keys() and all(one[name].tobytes() == other[name].tobytes() for name in one)
