"""Notices a hung step: writes the stacks of all threads, and in the end leaves so that a launcher can start again."""

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from vasa_jax import files
from vasa_jax.errors import EXIT_PREEMPTED
from vasa_jax.training.goodput import Ledger, StepTimes

UNWATCHED = ("init", "compile")  # may take as long as they like
HEARTBEAT = "heartbeat.json"
HEARTBEAT_SECONDS = 30.0


class Watchdog:
    """A thread beside the loop that looks how long ago the ledger last changed its account.

    Args:
      config: `dump_seconds`, `exit_seconds`: a wait as long as these, and at least `factor` times the median step, is
        a hang: stacks are written to WORKDIR/hung_N.txt, then the process ends with exit code 42. 0 never does.
      leave: ends the process; in tests something milder.
    """

    def __init__(
        self,
        workdir: Path,
        ledger: Ledger,
        times: StepTimes,
        config: Any,
        leave: Callable[[int], Any] = os._exit,
        tick: float = 1.0,
    ):
        self.workdir, self.ledger, self.times, self.leave, self.tick = workdir, ledger, times, leave, tick
        self.dump, self.exit = config.get("dump_seconds", 300.0), config.get("exit_seconds", 1800.0)
        self.factor = config.get("factor", 20.0)
        self.step = 0
        self._dumped: float | None = None  # `since` of the hang whose stacks are written
        self._written = -HEARTBEAT_SECONDS
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._done.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._done.wait(self.tick):
            self.look(time.monotonic())

    def look(self, now: float) -> None:
        """One look at the ledger; `now` of `time.monotonic()`."""
        account, since = self.ledger.account, self.ledger.since
        if now - self._written >= HEARTBEAT_SECONDS:
            self._written = now
            self._beat(account, now - since)
        if account in UNWATCHED:
            return
        patience = self.factor * (self.times.median or 0.0)
        waited = now - since
        if self.dump and waited > max(self.dump, patience) and self._dumped != since:
            self._dumped = since
            self._write_stacks(account, waited)
        if self.exit and waited > max(self.exit, 2 * patience):
            print(
                f"hung for {waited:.0f} s in {account!r} after step {self.step}: leaving", file=sys.stderr, flush=True
            )
            self.leave(EXIT_PREEMPTED)

    def _write_stacks(self, account: str, waited: float) -> None:
        path = self.workdir / f"hung_{self.step}.txt"
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"{waited:.0f} s in {account!r} after step {self.step}\n")
            file.flush()
            faulthandler.dump_traceback(file, all_threads=True)
        print(f"no progress for {waited:.0f} s in {account!r} after step {self.step}; stacks: {path}", file=sys.stderr)

    def _beat(self, account: str, waited: float) -> None:
        """For whoever watches from outside: a process that is stopped altogether beats no more."""
        beat = {"step": self.step, "account": account, "seconds_in_account": round(waited, 3), "time": time.time()}
        try:
            files.write_json(self.workdir / HEARTBEAT, beat)
        except OSError:
            pass  # a full disk is told where it matters
