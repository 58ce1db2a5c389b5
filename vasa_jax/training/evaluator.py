"""Held-out metrics and samples of the averaged parameters."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import jax
import numpy as np

from vasa_jax.training.goodput import Ledger
from vasa_jax.training.partition import MeshPartitioner
from vasa_jax.training.task import Networks, Task

NumpyBatch = dict[str, np.ndarray]
StreamFn = Callable[[int], Iterator[NumpyBatch]]  # number of the first batch -> batches from there on


def numeric(batch: NumpyBatch) -> NumpyBatch:
    """The entries a device can hold (names and other text are left behind)."""
    return {name: value for name, value in batch.items() if np.asarray(value).dtype.kind in "biuf"}


class _Once:
    """A program compiled at its first call and never again: other shapes or places of arguments are an error."""

    def __init__(self, fn: Any, ledger: Ledger):
        self.fn, self.ledger = fn, ledger
        self.program: jax.stages.Compiled | None = None

    def __call__(self, *args: Any) -> Any:
        if self.program is None:
            with self.ledger.on("compile"):
                self.program = self.fn.lower(*args).compile()
        return self.program(*args)


class Evaluator:
    """Held-out metrics and images of the averaged parameters, on the same batches every time."""

    def __init__(
        self,
        task: Task,
        partitioner: MeshPartitioner,
        networks: Networks,
        stream_fn: StreamFn | None,
        batches: int,
        key: Any,
        ledger: Ledger,
    ):
        self.partitioner, self.stream_fn, self.batches, self.key = partitioner, stream_fn, batches, key
        self.networks = networks
        self.kept: list[NumpyBatch] | None = None
        self.evaluate = _Once(partitioner.run(task.evaluate), ledger)
        self.images = _Once(partitioner.run(task.images), ledger)

    def __call__(self, ema: Any) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """(means of the metrics under 'eval/', images of the first batch)."""
        if self.stream_fn is None or not self.batches:
            return {}, {}
        sums: dict[str, list[float]] = {}
        images = {}
        if self.kept is None:  # a handful of batches: decoded once
            self.kept = [numeric(batch) for batch in itertools.islice(self.stream_fn(0), self.batches)]
        for number, batch in enumerate(self.kept):
            placed = self.partitioner.put(batch)
            key = jax.random.fold_in(self.key, number)
            for name, value in jax.device_get(self.evaluate(ema, self.networks, placed, key)).items():
                sums.setdefault(f"eval/{name}", []).append(float(value))
            if number == 0:
                images = jax.device_get(self.images(ema, self.networks, placed, key))
        return {name: float(np.mean(values)) for name, values in sums.items()}, images
