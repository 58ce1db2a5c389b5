"""The loop that drives every task: resume, step, watch, evaluate, save.

Its instruments are modules of their own: checkpoint, guards, goodput, watchdog, gallery, trace, monitor, signals.
"""

import dataclasses
import functools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax
import ml_collections
import numpy as np

from vasa_jax.errors import InputError
from vasa_jax.training import gallery, goodput, guards, manifest, peaks, start
from vasa_jax.training.checkpoint import CheckpointInfo, Checkpoints, RetentionPolicy
from vasa_jax.training.evaluator import Evaluator, NumpyBatch, StreamFn, numeric
from vasa_jax.training.monitor import MetricsWriter, Progress
from vasa_jax.training.partition import accumulation, make_partitioner
from vasa_jax.training.signals import stop_requests
from vasa_jax.training.task import Metrics, Task
from vasa_jax.training.trace import Tracer
from vasa_jax.training.train_step import TrainState, make_optimizers, make_train_step, parameter_table
from vasa_jax.training.watchdog import Watchdog


@dataclasses.dataclass(frozen=True)
class Result:
    """How a call of `train` ended. `metrics` are those of the last logged step."""

    step: int
    preempted: bool
    metrics: dict[str, float]
    parameters: dict[str, int]


@dataclasses.dataclass(frozen=True)
class Dispatched:
    """A step whose numbers are looked at after the next one is on its way, so that the device never waits for us."""

    step: int
    metrics: Metrics
    batch: NumpyBatch
    number: int  # of the batch in the stream


def train(
    config: ml_collections.ConfigDict,
    task: Task,
    stream_fn: StreamFn,
    eval_stream_fn: StreamFn | None,
    workdir: str | Path,
    *,
    manifest_extra: dict[str, Any] | None = None,
    operations: Callable[[], int] | None = None,
) -> Result:
    """Trains `task` until config.steps; run again to resume.

    Args:
      config: fields seed, steps, log_every, eval_every, checkpoint_every, keep, keep_every, keep_best, parallel, mesh,
        optimizer, ema_decay, init_from, guard, watchdog, profile, data.eval_batches (docs/training.md).
      stream_fn: number of a batch -> iterator of batches from there on (dicts of numpy arrays, this process's share).
        Batch n is the same whatever the start: that is what makes a resume exact.
      eval_stream_fn: the same for held-out data; read from 0 at every evaluation.
      workdir: receives run_manifest.json, metrics.jsonl, events.jsonl, goodput.json, heartbeat.json, checkpoints/STEP,
        gallery.html and pictures/, and TensorBoard events.
      operations: counts a step's operations, for the share of the peak (MFU).

    Returns:
      Result; `preempted` when a signal ended the run early (after saving).
    """
    if config.get("frozen", ""):
        task = dataclasses.replace(task, frozen=config.frozen)
    Path(workdir).mkdir(parents=True, exist_ok=True)
    with stop_requests() as stopping:
        run = _Run(config, task, Path(workdir), stopping)
        return run(stream_fn, eval_stream_fn, manifest_extra or {}, operations)


class _Run:
    """One start of a run, with its instruments at hand."""

    def __init__(self, config: ml_collections.ConfigDict, task: Task, workdir: Path, stopping: Callable[[int], bool]):
        self.config, self.task, self.workdir, self.stopping = config, task, workdir, stopping
        self.ledger, self.times = goodput.Ledger(), goodput.StepTimes()
        self.primary = jax.process_index() == 0
        self.progress = Progress(config.steps, self.ledger)
        self.say = self.progress.say if self.primary else lambda text: None
        self.partitioner = make_partitioner(config)
        keep = RetentionPolicy(config.get("keep", 3), config.get("keep_every", 0), config.get("keep_best", ""))
        self.checkpoints = Checkpoints(workdir / "checkpoints", keep, self.say)
        self.events = guards.Events(workdir, self.primary)
        # On every device from the start, those of other hosts included: the step must not have to move it.
        self.key = self.partitioner.seed_key(config.seed)
        self.last: dict[str, float] = {}

    def __call__(self, stream_fn, eval_stream_fn, manifest_extra, operations) -> Result:
        config, task = self.config, self.task
        at = self.checkpoints.newest() or CheckpointInfo(0, 0, config.seed)
        batches = iter(stream_fn(at.batch))
        batch = next(batches)
        self.abstract = start.shapes(config, task, numeric(batch))
        parameters = parameter_table(self.abstract.params)
        if self.primary:
            about = {"task": task.name, "players": task.players, "parameters": parameters, **manifest_extra}
            manifest.write(self.workdir, config, resumed_at=at.step, **about)
        if at.step >= config.steps:
            self.say(f"{self.workdir} is already at step {at.step} of {config.steps}; raise config.steps to go on")
            self.checkpoints.close()
            return Result(at.step, False, {}, parameters)
        restored = self._restore(at) if at.step else None
        state = restored or start.fresh_state(config, task, self.partitioner, numeric(batch), self.say)
        self.say(f"{task.name}: {parameters['total']:,} parameters, steps {at.step}..{config.steps}, {self.workdir}")
        self._make_instruments(eval_stream_fn, at, operations, int(jax.device_get(state.skipped)))
        with Watchdog(self.workdir, self.ledger, self.times, config.get("watchdog", {})) as self.watchdog:
            step = self._steps(state, at, batches, batch)
            with self.ledger.on("checkpoint"):
                self.checkpoints.close()
        self._close(step)
        return Result(step, step < config.steps, self.last, parameters)

    def _make_instruments(self, eval_stream_fn, at: CheckpointInfo, operations, skipped: int) -> None:
        config = self.config
        optimizers = make_optimizers(config, self.task)
        make = functools.partial(
            make_train_step,
            self.task,
            optimizers,
            ema_decay=config.get("ema_decay", 0.999),
            accumulate=accumulation(config, self.partitioner.batch_parts),
            spike_sigma=config.get("guard", {}).get("spike_sigma", 0.0),
        )
        self.train_step = self.partitioner.step(make, self.abstract)
        self.networks = self.partitioner.place(self.task.networks)
        self.evaluator = Evaluator(
            self.task,
            self.partitioner,
            self.networks,
            eval_stream_fn,
            config.get("data", {}).get("eval_batches", 4),
            jax.random.fold_in(jax.random.key(config.seed), 2**31 - 1),
            self.ledger,
        )
        self.guard = guards.Guard(config.get("guard", {}), self.events, self.say, skipped)
        self.history = goodput.History(self.workdir, at.step, self.primary)
        self.writer = MetricsWriter(self.workdir, at.step, config.get("tensorboard", True), self.primary)
        self.tracer = Tracer(self.workdir, config.get("profile", {}), self.say)
        self.utilisation = peaks.Utilisation(operations, self.say)
        self.progress.begin(at.step)
        self.compiled = False

    # ---- the loop -----------------------------------------------------------------------------------

    def _steps(self, state: TrainState, at: CheckpointInfo, batches: Iterator[NumpyBatch], batch: NumpyBatch) -> int:
        """Runs to the end, or until a signal; returns the step it stands at."""
        config = self.config
        self.ledger.switch("other")
        step, number = at.step, at.batch
        pending: Dispatched | None = None
        while step < config.steps:
            state, done = self._dispatch(state, Dispatched(step + 1, {}, batch, number))
            step, number = done.step, number + 1
            stop = self.stopping(step)
            evaluates = self._due(step, config.get("eval_every", 0)) and not (stop and step < config.steps)
            saves = self._due(step, config.get("checkpoint_every", 0)) or stop
            pauses = evaluates or saves
            # In order, the step before first; and at a pause also this one, before anything is made of its state.
            if (pending and self._finish(pending)) or (pauses and self._finish(done, logs=False)):
                state, step = self._go_back(step)
                pending, pauses = None, False
            else:
                pending = None if pauses else done
            if pauses:
                self._pause(state, done, CheckpointInfo(step, number, config.seed), evaluates, saves)
            if stop:
                self.say(f"stopped by a signal at step {step}; saved; run the same command again to go on")
                break
            if step < config.steps:
                with self.ledger.on("data_wait"):
                    batch = next(batches)
        return step

    def _dispatch(self, state: TrainState, job: Dispatched) -> tuple[TrainState, Dispatched]:
        """Puts the batch on the device and starts the step."""
        with self.ledger.on("data_wait"):
            batch = self.partitioner.put(numeric(job.batch))
        account = "step" if self.compiled else "compile"
        # Once it is compiled nothing may move between host and device unasked: that would wait for the step before.
        guard = "disallow" if self.compiled else "allow"
        with self.ledger.on(account), self.tracer.step(job.step), jax.transfer_guard(guard):
            state, metrics = self.train_step(state, batch, self.key, self.networks)
        self.compiled = True
        return state, dataclasses.replace(job, metrics=metrics)

    def _finish(self, done: Dispatched, logs: bool = True) -> bool:
        """Waits for a step and looks at it; whether the run has to go back."""
        with self.ledger.on("step"):
            skipped = int(jax.device_get(done.metrics["skipped"]))
        self.times.ended()
        self.watchdog.step = done.step
        if skipped != self.guard.skipped:
            metrics = jax.device_get(done.metrics)
            if self.guard.watch(done.step, metrics, guards.identity(done.batch, done.number)):
                return True
        else:
            self.guard.fine()
        if logs and (self._due(done.step, self.config.get("log_every", 50)) or done.step == 1):
            self._log(done)
        return False

    def _pause(self, state: TrainState, done: Dispatched, at: CheckpointInfo, evaluates: bool, saves: bool) -> None:
        """Evaluates and saves; the step is finished and fine."""
        held_out: dict[str, float] = {}
        more: dict[str, float] = {}
        if evaluates:
            with self.ledger.on("eval"):
                held_out, samples = self.evaluator(state.ema)
        if saves:
            with self.ledger.on("checkpoint"):
                self.checkpoints.save(state, dataclasses.replace(at, metrics=held_out))
            more = {"save_stall_ms": 1e3 * self.checkpoints.stall}
        self._log(done, held_out | more)
        if held_out and self.primary:
            with self.ledger.on("eval"):
                self.writer.write_images(at.step, samples)
                gallery.update(self.workdir, at.step, samples)
        self.times.paused()

    def _go_back(self, step: int) -> tuple[TrainState, int]:
        """The state of an earlier checkpoint, and its step. The data goes on where it is: other batches than before."""
        with self.ledger.on("checkpoint"):
            self.checkpoints.wait()
            found = self.guard.choose(step, self.checkpoints.newest)
            state = self._restore(found)
            self.checkpoints.discard_after(found.step)
        self.guard.went_back(step, found.step, int(jax.device_get(state.skipped)))
        self.ledger.lose(step - found.step, step - self.history.start)
        self.writer.forget_after(found.step)
        self.progress.begin(found.step)
        self.times.paused()
        return state, found.step

    # ---- small things -------------------------------------------------------------------------------

    def _restore(self, saved: CheckpointInfo) -> TrainState:
        self.say(f"resuming from {self.checkpoints.directory}/{saved.step}")
        if saved.seed not in (None, self.config.seed):
            self.say(
                f"config.seed is {self.config.seed}, the checkpoint's was {saved.seed}: data and draws will differ"
            )
        return self.checkpoints.restore(saved, self.abstract, self.partitioner.shardings(self.abstract))

    def _due(self, step: int, every: int) -> bool:
        return step == self.config.steps or (every > 0 and step % every == 0)

    def _log(self, done: Dispatched, more: dict[str, float] | None = None) -> None:
        values = {name: np.asarray(value).item() for name, value in jax.device_get(done.metrics).items()}
        values |= self.progress.rates(done.step) | self.times.summary()
        values |= self.utilisation(self.times.median, self.ledger) | (more or {})
        self.last = values
        self.writer.write(done.step, values)
        if self.primary:
            self.progress.show(done.step, values)
        self.history.save(self.ledger, done.step)

    def _close(self, step: int) -> None:
        self.tracer.close()
        self.history.save(self.ledger, step)
        self.writer.close()
        self.progress.close()
        if self.checkpoints.missed:
            raise InputError(
                f"step {step} could not be saved under {self.checkpoints.directory}; make room there and run the same "
                "command again: it goes on from the checkpoint before"
            )
