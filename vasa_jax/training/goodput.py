"""Where a run's time goes: a ledger whose entries add up to the wall time, over all its starts.

Every instant belongs to exactly one account. `step` is time in which the device could work on the model: from the
dispatch of a step until the loop has seen the step before it finish.
"""

import contextlib
import json
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from vasa_jax import files

ACCOUNTS = ("init", "compile", "data_wait", "step", "eval", "checkpoint", "other", "lost")
"""`lost`: steps done again after a rollback or a kill. `other`: what the loop itself costs."""
NAME = "goodput.json"


class Ledger:
    """Books the time between switches of account; starts in `init`.

    Attributes:
      account, since: what time is booked on now, and the `time.monotonic()` of the last switch.
    """

    def __init__(self):
        self.account, self.since = "init", time.monotonic()
        self.begun = self.since
        self.seconds = dict.fromkeys(ACCOUNTS, 0.0)

    def switch(self, account: str) -> str:
        """From now on time is booked on that account; returns the one before."""
        now = time.monotonic()
        before = self.account
        self.seconds[before] += now - self.since
        self.account, self.since = account, now
        return before

    @contextlib.contextmanager
    def on(self, account: str) -> Iterator[None]:
        """Books the time of a block."""
        before = self.switch(account)
        try:
            yield
        finally:
            self.switch(before)

    def lose(self, steps: int, done: int) -> None:
        """`steps` of the `done` ones that stood have to be done again: their share of the step time is lost."""
        _lose(self.seconds, steps, done)

    def totals(self) -> dict[str, float]:
        """Seconds by account up to now."""
        self.switch(self.account)
        return dict(self.seconds)

    @property
    def wall(self) -> float:
        """Seconds from the start to the last switch: the sum of the accounts."""
        return self.since - self.begun


def _lose(seconds: dict[str, float], steps: int, done: int) -> None:
    moved = seconds["step"] * min(max(steps, 0) / done, 1.0) if done > 0 else 0.0
    seconds["step"] -= moved
    seconds["lost"] += moved


class History:
    """goodput.json of a workdir: the ledger of every start of the run, and their sum.

    What a start did after the checkpoint that the next one resumes from is booked as lost. Time between starts, and
    what a killed start did after it last wrote, nobody can know: both are left out.
    """

    def __init__(self, workdir: Path, resumed_at: int, write: bool = True):
        self.path, self.write = workdir / NAME, write
        self.earlier = self._earlier(resumed_at)
        self.start, self.date = resumed_at, time.strftime("%Y-%m-%dT%H:%M:%S%z")

    def _earlier(self, resumed_at: int) -> list[dict[str, Any]]:
        try:
            starts = json.loads(self.path.read_text(encoding="utf-8"))["starts"]
            for row in starts:
                if row["to_step"] > resumed_at:
                    kept = max(resumed_at, row["from_step"])
                    _lose(row["seconds"], row["to_step"] - kept, row["to_step"] - row["from_step"])
                    row["to_step"] = kept
            return starts
        except (OSError, ValueError, KeyError, TypeError):
            return []

    def save(self, ledger: Ledger, step: int) -> dict[str, Any]:
        """Writes the file; returns its content."""
        seconds = ledger.totals()
        row = {"date": self.date, "from_step": self.start, "to_step": step, "wall": ledger.wall, "seconds": seconds}
        rows = [*self.earlier, row]
        total = {name: sum(row["seconds"].get(name, 0.0) for row in rows) for name in ACCOUNTS}
        wall = sum(row["wall"] for row in rows)
        content = {"wall": wall, "seconds": total, "goodput": total["step"] / max(wall, 1e-9), "starts": rows}
        if self.write:
            files.write_json(self.path, content)
        return content


class StepTimes:
    """Seconds between the ends of successive steps, the last 256, without those that evaluation or saving fell into."""

    def __init__(self):
        self._times: deque[float] = deque(maxlen=256)
        self._last: float | None = None

    def ended(self) -> None:
        now = time.monotonic()
        if self._last is not None:
            self._times.append(now - self._last)
        self._last = now

    def paused(self) -> None:
        """The time until the next step ends is no step time."""
        self._last = None

    @property
    def median(self) -> float | None:
        return float(np.median(self._times)) if self._times else None

    def summary(self) -> dict[str, float]:
        """Median and 95th percentile in milliseconds, once there are any."""
        if not self._times:
            return {}
        p50, p95 = np.quantile(self._times, (0.5, 0.95))
        return {"step_ms_p50": 1e3 * float(p50), "step_ms_p95": 1e3 * float(p95)}
