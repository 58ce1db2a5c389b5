"""The loop that drives every task: resume, step, log, evaluate, save."""

import contextlib
import dataclasses
import functools
import itertools
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np

from vasa_jax.training import checkpoint, manifest
from vasa_jax.training.monitor import MetricsWriter, Progress
from vasa_jax.training.partition import MeshPartitioner, accumulation, make_partitioner
from vasa_jax.training.task import Task
from vasa_jax.training.train_step import TrainState, init_state, make_optimizers, make_train_step, parameter_table

NumpyBatch = dict[str, np.ndarray]
StreamFn = Callable[[int], Iterator[NumpyBatch]]  # start step -> batches from there on


@dataclasses.dataclass(frozen=True)
class Result:
    """How a call of `train` ended. `metrics` are those of the last logged step."""

    step: int
    preempted: bool
    metrics: dict[str, float]
    parameters: dict[str, int]


@contextlib.contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Turns SIGTERM and the first Ctrl-C into a question asked after every step; the second Ctrl-C interrupts."""
    asked = []

    def ask(number, frame):
        if asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        asked.append(number)

    try:
        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    except ValueError:  # not the main thread: nobody to ask
        before = {}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def numeric(batch: NumpyBatch) -> NumpyBatch:
    """The entries a device can hold (names and other text are left behind)."""
    return {name: value for name, value in batch.items() if np.asarray(value).dtype.kind in "biuf"}


def with_frozen(config: ml_collections.ConfigDict, task: Task) -> Task:
    """The task with config.frozen, where that is set."""
    return dataclasses.replace(task, frozen=config.frozen) if config.get("frozen", "") else task


class Evaluator:
    """Held-out metrics and pictures of the averaged parameters, on the same batches every time."""

    def __init__(self, task: Task, partitioner: MeshPartitioner, stream_fn: StreamFn | None, batches: int, key: Any):
        self.partitioner, self.stream_fn, self.batches, self.key = partitioner, stream_fn, batches, key
        self.kept: list[NumpyBatch] | None = None
        self.evaluate = partitioner.run(task.evaluate)
        self.pictures = partitioner.run(task.pictures)

    def __call__(self, ema: Any) -> tuple[dict[str, float], dict[str, np.ndarray]]:
        """(means of the metrics under 'eval/', pictures of the first batch)."""
        if self.stream_fn is None or not self.batches:
            return {}, {}
        sums: dict[str, list[float]] = {}
        pictures = {}
        if self.kept is None:  # a handful of batches: decoded once
            self.kept = [numeric(batch) for batch in itertools.islice(self.stream_fn(0), self.batches)]
        for number, batch in enumerate(self.kept):
            batch = self.partitioner.put(batch)
            key = jax.random.fold_in(self.key, number)
            for name, value in jax.device_get(self.evaluate(ema, batch, key)).items():
                sums.setdefault(f"eval/{name}", []).append(float(value))
            if number == 0:
                pictures = jax.device_get(self.pictures(ema, batch, key))
        return {name: float(np.mean(values)) for name, values in sums.items()}, pictures


def init_key(seed: int) -> Any:
    """Key for fresh parameters. XLA's own generator: hundreds of threefry draws take four times as long to compile."""
    return jax.random.key(seed, impl="rbg")


def start_state(
    config: ml_collections.ConfigDict,
    task: Task,
    partitioner: MeshPartitioner,
    checkpoints: checkpoint.Checkpoints,
    batch: NumpyBatch,
    say: Callable[[str], None],
) -> tuple[TrainState, Any]:
    """(state, its shapes). Own checkpoint before config.init_from before a fresh start."""
    optimizers = make_optimizers(config, task)
    init = functools.partial(init_state, task, optimizers, init_key(config.seed))
    abstract = jax.eval_shape(init, batch)
    latest = checkpoints.latest()
    if latest is not None:
        say(f"resuming from {checkpoints.directory}/{latest}")
        return checkpoints.restore(latest, abstract, partitioner.shardings(abstract)), abstract
    state = partitioner.init(init, partitioner.put(batch))
    if source := config.get("init_from", None):
        start = checkpoint.read_start(source, task.name, task.players)
        params, missing, unused = checkpoint.merge(state.params, start)
        say(f"parameters from {source}: {len(missing)} arrays start fresh, {len(unused)} were not used")
        for title, names in (("fresh", missing), ("not used", unused)):
            if names:
                say(f"  {title}: " + ", ".join(names[:8]) + (f", and {len(names) - 8} more" if names[8:] else ""))
        state = state.replace(params=params, ema=jax.tree.map(lambda leaf: leaf.copy(), params))
    return state, abstract


def train(
    config: ml_collections.ConfigDict,
    task: Task,
    stream_fn: StreamFn,
    eval_stream_fn: StreamFn | None,
    workdir: str | Path,
    *,
    manifest_extra: dict[str, Any] | None = None,
) -> Result:
    """Trains `task` until config.steps; run again to resume.

    Args:
      config: fields seed, steps, log_every, eval_every, checkpoint_every, keep, parallel, mesh, optimizer, ema_decay,
        init_from, data.eval_batches.
      stream_fn: start step -> iterator of batches (dicts of numpy arrays, this process's share). Batch n belongs to
        step n, whatever the start: that is what makes a resume exact.
      eval_stream_fn: the same for held-out data; read from 0 at every evaluation.
      workdir: receives run_manifest.json, metrics.jsonl, checkpoints/STEP, pictures and TensorBoard events.

    Returns:
      Result; `preempted` when a signal ended the run early (after saving).
    """
    workdir = Path(workdir)
    workdir.mkdir(parents=True, exist_ok=True)
    with stop_requests() as stopping:
        return _train(config, task, stream_fn, eval_stream_fn, workdir, manifest_extra or {}, stopping)


def _train(config, task, stream_fn, eval_stream_fn, workdir, manifest_extra, stopping) -> Result:
    task = with_frozen(config, task)
    partitioner = make_partitioner(config)
    checkpoints = checkpoint.Checkpoints(workdir / "checkpoints", config.get("keep", 3))
    start = checkpoints.latest() or 0
    progress = Progress(start, config.steps)
    batches = iter(stream_fn(start))
    batch = numeric(next(batches))
    state, abstract = start_state(config, task, partitioner, checkpoints, batch, progress.say)
    parameters = parameter_table(abstract.params)
    manifest.write(
        workdir,
        config,
        resumed_at=start,
        task=task.name,
        players=task.players,
        parameters=parameters,
        **manifest_extra,
    )
    if start >= config.steps:
        progress.say(f"{workdir} is already at step {start} of {config.steps}; raise config.steps to go on")
        checkpoints.close()
        return Result(start, False, {}, parameters)
    writer = MetricsWriter(workdir, start, config.get("tensorboard", True))
    progress.say(f"{task.name}: {parameters['total']:,} parameters, steps {start}..{config.steps}, {workdir}")
    run = _Run(config, task, partitioner, checkpoints, writer, progress, stopping)
    step, metrics = run(state, abstract, batch, batches, eval_stream_fn, start)
    checkpoints.close()
    writer.close()
    progress.close()
    return Result(step, step < config.steps, metrics, parameters)


class _Run:
    """The inner loop with its instruments at hand."""

    def __init__(self, config, task, partitioner, checkpoints, writer, progress, stopping):
        self.config, self.task, self.partitioner = config, task, partitioner
        self.checkpoints, self.writer, self.progress, self.stopping = checkpoints, writer, progress, stopping

    def __call__(self, state, abstract, batch, batches, eval_stream_fn, start) -> tuple[int, dict[str, float]]:
        config = self.config
        optimizers = make_optimizers(config, self.task)
        make = functools.partial(
            make_train_step,
            self.task,
            optimizers,
            ema_decay=config.get("ema_decay", 0.999),
            accumulate=accumulation(config, self.partitioner.batch_parts),
        )
        train_step = self.partitioner.step(lambda axis: make(axis_name=axis), abstract)
        key = jax.random.key(config.seed)
        eval_batches = config.get("data", {}).get("eval_batches", 4)
        evaluator = Evaluator(
            self.task, self.partitioner, eval_stream_fn, eval_batches, jax.random.fold_in(key, 2**31 - 1)
        )
        begun, last = time.monotonic(), {}
        pending = (
            None  # metrics of the step before: fetched after the next one is dispatched, so the device never waits
        )
        batch = self.partitioner.put(batch)
        step = start
        while step < config.steps:
            state, metrics = train_step(state, batch, key)
            step += 1
            if pending is not None:
                last = self._log(*pending, begun, last)
            pending = (step, metrics)
            stop = self.stopping()
            evaluates = self._due(step, config.get("eval_every", 0))
            saves = self._due(step, config.get("checkpoint_every", 0)) or stop
            if evaluates or saves:
                jax.block_until_ready(metrics)
                paused = time.monotonic()
                held_out, pictures = (
                    evaluator(state.ema) if evaluates and not (stop and step < config.steps) else ({}, {})
                )
                if saves:
                    self.checkpoints.save(step, state)
                self.progress.add_pause(time.monotonic() - paused)
                last = self._log(step, metrics, begun, last, held_out, force=bool(held_out) or stop)
                self.writer.write_pictures(step, pictures)
                self.writer.flush()
                pending = None
            if stop:
                self.progress.say(f"stopped by a signal at step {step}; saved; run the same command again to go on")
                break
            if step < config.steps:
                waited = time.monotonic()
                batch = self.partitioner.put(numeric(next(batches)))
                self.progress.add_wait(time.monotonic() - waited)
        return step, last

    def _due(self, step: int, every: int) -> bool:
        return step == self.config.steps or (every > 0 and step % every == 0)

    def _log(self, step, metrics, begun, last, held_out=None, force=False) -> dict[str, float]:
        """Waits for that step; writes it when it is due."""
        if not (force or self._due(step, self.config.get("log_every", 50)) or step == 1):
            jax.block_until_ready(metrics["loss"])
            return last
        values = {name: value.item() for name, value in jax.device_get(metrics).items()}
        values |= {"seconds": time.monotonic() - begun} | self.progress.rates(step) | (held_out or {})
        self.writer.write(step, values)
        self.progress.show(step, values)
        return values
