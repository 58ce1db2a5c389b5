"""What a run tells while it goes: metrics.jsonl, TensorBoard events, image files and the console line."""

import json
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from vasa_jax import files
from vasa_jax.training import optional
from vasa_jax.training.goodput import Ledger


def _number(value: Any) -> float | int | None:
    """A JSON number; null for what JSON cannot hold (NaN, infinity)."""
    value = np.asarray(value)
    if np.issubdtype(value.dtype, np.integer):
        return int(value)
    return float(value) if np.isfinite(value) else None


def _summary_writer(directory: Path) -> Any | None:
    metric_writers = optional.load("clu.metric_writers", "no TensorBoard events")  # clu writes through TensorFlow
    return metric_writers.SummaryWriter(str(directory)) if metric_writers else None


class MetricsWriter:
    """Appends to metrics.jsonl and TensorBoard. Lines after `resumed_at` (lost with a crash) are dropped first.

    With `write` off (hosts but the first) nothing is written.
    """

    def __init__(self, workdir: Path, resumed_at: int, tensorboard: bool = True, write: bool = True):
        self.path = workdir / "metrics.jsonl" if write else Path(os.devnull)
        self.file = self._after(resumed_at)
        self.summary = _summary_writer(workdir) if tensorboard and write else None

    def forget_after(self, step: int) -> None:
        """Drops the lines of later steps, which are done again."""
        self.file.close()
        self.file = self._after(step)

    def _after(self, step: int) -> TextIO:
        """The file without the lines of later steps, to be added to."""
        if self.path.is_file():
            self._drop_after(step)
        return open(self.path, "a", encoding="utf-8", buffering=1)

    def _drop_after(self, step: int) -> None:
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except (json.JSONDecodeError, KeyError, TypeError):
                continue  # a line cut short by a crash
        with files.replacing(self.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, step: int, metrics: Mapping[str, Any]) -> None:
        numbers = {name: _number(value) for name, value in metrics.items()}
        self.file.write(json.dumps({"step": step, **numbers}) + "\n")
        if self.summary:
            self.summary.write_scalars(step, {name: value for name, value in numbers.items() if value is not None})

    def write_images(self, step: int, images: Mapping[str, np.ndarray]) -> None:
        """The images [h,w,3] in 0..1 among samples, to TensorBoard, which is then up to date on disk."""
        if self.summary:
            found = {name: image[None] for name, image in images.items() if np.ndim(image) == 3}
            self.summary.write_images(step, {name: np.clip(np.nan_to_num(x), 0.0, 1.0) for name, x in found.items()})
            self.summary.flush()

    def close(self) -> None:
        self.file.close()
        if self.summary:
            self.summary.close()


def clock(seconds: float) -> str:
    """h:mm:ss"""
    seconds = int(max(seconds, 0))
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"


class Progress:
    """Rates over the time since the last report, and the console line (rewritten in place on a terminal)."""

    def __init__(self, total: int, ledger: Ledger, out: TextIO | None = None):
        self.total, self.ledger, self.out = total, ledger, out or sys.stdout
        self.rate: float | None = None  # None until a report that holds no compilation
        self.reports, self.line_open = 0, False
        self.begun = time.monotonic()
        self.begin(0)

    def begin(self, step: int) -> None:
        """Steps are counted from here on: at the start, and after going back."""
        self.reported, self.booked = step, self.ledger.totals()

    def rates(self, step: int) -> dict[str, float]:
        """Seconds of the run; steps per second and percent of waiting for data since the last call.

        Evaluation and saving are no training time. While the loop waits for data the device may still be busy: the
        percentage is an upper bound of what data costs.
        """
        now = self.ledger.totals()
        spent = {name: now[name] - self.booked[name] for name in now}
        trained = max(sum(spent[name] for name in ("compile", "step", "data_wait", "other")), 1e-9)
        rate = (step - self.reported) / trained
        if self.reports:
            self.rate = rate if self.rate is None else 0.7 * self.rate + 0.3 * rate
        self.reports += 1
        self.reported, self.booked = step, now
        wait = 100.0 * spent["data_wait"] / trained
        return {"seconds": time.monotonic() - self.begun, "steps_per_second": rate, "data_wait_percent": wait}

    def show(self, step: int, metrics: Mapping[str, Any]) -> None:
        """step/total, percent, losses, speed, data wait, time left."""
        hidden = ("steps_per_second", "data_wait_percent", "seconds", "step_ms_p50", "step_ms_p95", "save_stall_ms")
        shown = " ".join(f"{k} {float(v):.4g}" for k, v in metrics.items() if k not in hidden)
        left = clock((self.total - step) / self.rate) if self.rate else "?"
        wait = metrics.get("data_wait_percent", 0.0)
        bar = "#" * (20 * step // max(self.total, 1))
        line = (
            f"[{bar:<20}] {step}/{self.total} eta {left} {self.rate or 0.0:.3g} steps/s data-wait {wait:.0f}% | {shown}"
        )
        if self.out.isatty():
            self.out.write("\r\x1b[2K" + line)
            self.line_open = True
        else:
            self.out.write(line + "\n")
        self.out.flush()

    def say(self, text: str) -> None:
        """A line of its own."""
        self.out.write(("\n" if self.line_open else "") + text + "\n")
        self.line_open = False
        self.out.flush()

    def close(self) -> None:
        if self.line_open:
            self.say("")
