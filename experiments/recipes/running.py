"""Runs the jobs of a recipe, one after another, as child processes; what is done is not done again."""

import contextlib
import fcntl
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiments.recipes import telling
from experiments.recipes.planning import Job
from experiments.recipes.record import Entry, Record
from vasa_jax import files
from vasa_jax.errors import EXIT_PREEMPTED, InputError, UsageError, UserError
from vasa_jax.training.monitor import clock

_TERMINAL, _FILE = 1.0, 60.0  # seconds between two lines of progress
_LOOK = 0.25
QUICK_ENVIRONMENT = {"JAX_DISABLE_MOST_OPTIMIZATIONS": "1"}
"""A few steps of small networks: compiling is all that takes time."""


class Preempted(Exception):
    """The time is over, or somebody stopped the command of a part: what it did is saved."""


@contextlib.contextmanager
def locked(workdir: Path) -> Iterator[int]:
    """Holds the workdir; yields the file to hand to children, so that one that outlives its parent still holds it."""
    try:
        workdir.mkdir(parents=True, exist_ok=True)
        lock = open(workdir / ".lock", "w", encoding="utf-8")
    except OSError as error:
        raise InputError(f"--workdir={workdir} cannot be used ({error.strerror}); choose another folder") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"--workdir={workdir}: another vasa-recipe works in it; wait for it, or end it") from None
        yield lock.fileno()


def run(
    jobs: list[Job],
    workdir: Path,
    deadline: float | None = None,
    environment: dict[str, str] | None = None,
    redo: bool = False,
) -> tuple[Record, bool]:
    """Runs what is not done yet; returns the record, and whether all of it is done now.

    Args:
      deadline: of time.monotonic(), when it has to stop; None: never.
      environment: set for the children.
      redo: parts whose numbers have changed are made again (`Record.check`).
    """
    with locked(workdir) as lock:
        record = Record(workdir)
        for text in record.check(jobs, redo):
            print(f"made again, since its numbers have changed: {text}")
        try:
            Runner(jobs, record, workdir, deadline, environment, lock)()
        except Preempted:
            print("stopped before the end; what was done is saved; run the same command again to go on")
            return record, False
    return record, True


class Runner:
    """Runs jobs in a workdir.

    Args:
      jobs: all of them, in order.
      record: what is done.
      workdir: of the recipe.
      deadline: of time.monotonic(), when it has to stop; None: never.
      environment: set for the children.
      lock: of `locked`.
      say: prints a line.
    """

    def __init__(
        self,
        jobs: list[Job],
        record: Record,
        workdir: Path,
        deadline: float | None = None,
        environment: dict[str, str] | None = None,
        lock: int | None = None,
        say: Callable[[str], None] = print,
    ):
        self.jobs, self.record, self.workdir, self.deadline = jobs, record, workdir, deadline
        self.environment, self.lock, self.say = os.environ | (environment or {}), lock, say
        self.begun = time.monotonic()
        self.open_line = False

    def __call__(self) -> None:
        """All that is not done yet.

        Raises:
          Preempted: it has to go on another time.
          UserError: a command failed, with its own last line.
        """
        for number, job in enumerate(self.jobs, 1):
            name = job.part.name
            title = f"[{number}/{len(self.jobs)}] {job.stage}: {name}"
            if job.absent:
                self._line(f"{title} is left out: there is no {' and no '.join(job.absent)}")
                continue
            if job.link is not None:
                self._line(f"{title}: {job.link} is prepared already")
                link_files(job.link, job.product)
                continue
            if self.record.done(job):
                self._line(f"{title} is done")
                continue
            if self.deadline is not None and time.monotonic() >= self.deadline:
                raise Preempted
            for note in job.notes:
                self._line(note)
            self._line(f"{title}: python -m {shlex.join(job.command)}")
            entry = self.record.begin(job, self.jobs)
            self._run(job, entry)
            entry.done, entry.metrics = True, telling.measured(job, self.workdir)
            entry.steps = job.part.steps
            self.record.save()
            if not job.product.exists():
                raise UserError(f"{name} ended well, and {job.product} is not there; see {self._log(job)}")
            self._line(f"{title} took {clock(entry.seconds)}; {self._left()}")

    def _log(self, job: Job) -> Path:
        return self.workdir / "logs" / f"{job.part.name}.log"

    def _run(self, job: Job, entry: Entry) -> None:
        if job.config is not None:
            files.write_json(self.workdir / "parts" / f"{job.part.name}.json", job.config)
        log = self._log(job)
        log.parent.mkdir(parents=True, exist_ok=True)
        begun, before = time.monotonic(), entry.seconds
        try:
            with open(log, "a", encoding="utf-8") as out:
                code = self._wait(job, entry, out, begun, before)
        finally:
            entry.seconds = before + time.monotonic() - begun
            self.record.save()
        if code == EXIT_PREEMPTED or (code and self._late()):
            raise Preempted
        if code:
            lines = [line for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
            last = lines[-1].removeprefix("error: ") if lines else "it said nothing"
            kind = {UsageError.exit_code: UsageError, InputError.exit_code: InputError}.get(code, UserError)
            raise kind(f"{job.stage}.{job.part.name} ended with exit code {code}: {last} (all of it: {log})")

    def _wait(self, job: Job, entry: Entry, out: Any, begun: float, before: float) -> int:
        held = () if self.lock is None else (self.lock,)
        child = subprocess.Popen(
            [sys.executable, "-m", *job.command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            env=self.environment,
            pass_fds=held,
        )
        told, asked = time.monotonic(), False
        try:
            while True:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    return child.wait(_LOOK)
                now = time.monotonic()
                if self._late() and not asked:
                    asked = True
                    child.send_signal(signal.SIGTERM)
                if now - told >= (_TERMINAL if sys.stdout.isatty() else _FILE):
                    told = now
                    self._progress(job, before + now - begun)
        finally:
            if child.poll() is None:  # a signal, or an error of ours: the child saves, and ends before we do
                child.send_signal(signal.SIGTERM)
                child.wait()

    def _late(self) -> bool:
        return self.deadline is not None and time.monotonic() >= self.deadline

    def _progress(self, job: Job, running: float) -> None:
        step, rate = 0, 0.0
        if job.part.trains and (logged := telling.rows(self.workdir / job.part.name)):
            step = logged[-1]["step"]
            rate = logged[-1].get("steps_per_second") or 0.0 if len(logged) > 1 else 0.0
        at = f" step {step} of {job.part.steps}" if job.part.trains else ""
        left = self._left(job.part.name, running, rate, step)
        self._line(f"{job.stage}: {job.part.name}{at}, {clock(running)}; {left}", stays=False)

    def _left(self, *now: Any) -> str:
        runs = [job for job in self.jobs if job.runs]
        done = sum(self.record.done(job) for job in runs)
        left = telling.left(self.jobs, self.record.parts, *now)
        bar = "#" * (20 * done // max(len(runs), 1))
        return f"[{bar:<20}] {done} of {len(runs)} parts, about {clock(left)} left in all"

    def _line(self, text: str, stays: bool = True) -> None:
        """A line of its own, or one that the next one replaces where that is possible."""
        terminal = sys.stdout.isatty()
        if terminal and self.open_line:
            sys.stdout.write("\r\x1b[2K")
        if terminal and not stays:
            sys.stdout.write(text[: shutil.get_terminal_size().columns - 1])
            sys.stdout.flush()
        else:
            self.say(text)
            sys.stdout.flush()
        self.open_line = terminal and not stays


def link_files(prepared: Path, place: Path) -> None:
    """A folder tree at `place` whose files are links to those of `prepared`: what readers add stays out of there."""
    for path in sorted(prepared.rglob("*")):
        target = place / path.relative_to(prepared)
        if path.is_file() and not target.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            target.unlink(missing_ok=True)
            target.symlink_to(path.resolve())
