"""Profiler traces of a few steps: planned in the configuration, or asked for while the run goes.

`touch WORKDIR/trace` asks for one; the file goes away when it begins. Traces lie in WORKDIR/profile, for TensorBoard's
profile plug-in or Perfetto.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jax

REQUEST = "trace"
_LOOK_SECONDS = 1.0  # between looks for the file: it may lie on a slow disk


class Tracer:
    """Starts and stops the profiler between steps.

    Args:
      config: `at`, the first step to trace (0: none), and `steps`, how many.
    """

    def __init__(self, workdir: Path, config: Any, say: Callable[[str], None]):
        self.folder, self.request = workdir / "profile", workdir / REQUEST
        self.at, self.count, self.say = config.get("at", 0), config.get("steps", 5), say
        self._left, self._looked = 0, float("-inf")

    @contextlib.contextmanager
    def step(self, number: int) -> Iterator[None]:
        """Around the dispatch of a step."""
        if self._left == 0 and self._asked(number):
            self.say(f"tracing {self.count} steps from step {number} into {self.folder}")
            jax.profiler.start_trace(str(self.folder))
            self._left = self.count + 1
        if self._left:
            self._left -= 1
            if self._left == 0:
                jax.profiler.stop_trace()
        if not self._left:
            yield
            return
        with jax.profiler.StepTraceAnnotation("train", step_num=number):
            yield

    def _asked(self, number: int) -> bool:
        if number == self.at:
            return True
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return False
        self._looked = now
        if not self.request.exists():
            return False
        self.request.unlink(missing_ok=True)
        return True

    def close(self) -> None:
        """Ends a trace that the run's end cut short."""
        if self._left:
            self._left = 0
            jax.profiler.stop_trace()
