"""What keeps bad numbers out of the parameters: steps that are skipped, and when to go back to a checkpoint.

In the compiled step: a gradient that is not finite, or whose norm is a spike, changes nothing (`judge`). In the loop:
a skipped step's batch is written down, and several in a row end at an earlier checkpoint (`Guard`). Skipping alone is
not enough: parameters that are themselves bad give bad gradients for ever.
"""

import json
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import ml_collections
import numpy as np
from jaxtyping import Array, Bool, Float

from vasa_jax.errors import InputError
from vasa_jax.training.checkpoint_info import CheckpointInfo

WINDOW = 128
"""Steps over which what is normal is averaged."""
MINIMUM = 32
"""Steps to be seen before anything can be called a spike."""
_NARROW = 0.1
"""Smallest deviation of the log norm: norms that hardly vary must not make spikes of little waves."""

EVENTS = "events.jsonl"


def unknown() -> Float[Array, "3"]:
    """Statistics of a norm that was never seen: mean and mean square of its logarithm, and how many."""
    return jnp.zeros(3, jnp.float32)


def judge(normal: Float[Array, "3"], norm: Float[Array, ""], sigma: float) -> tuple[Bool[Array, ""], Float[Array, "3"]]:
    """(whether a gradient of this norm may be applied, statistics with this norm).

    A spike lies more than `sigma` deviations above the mean, of log norms over the last WINDOW steps or so; 0 calls
    nothing a spike. It counts in the statistics as much as the largest norm that is none, so that a level that has
    risen for good is normal before long.
    """
    mean, square, count = normal
    finite = jnp.isfinite(norm)
    log = jnp.log(jnp.maximum(jnp.where(finite, norm, 1.0), 1e-20))
    deviation = jnp.maximum(jnp.sqrt(jnp.maximum(square - mean**2, 0.0)), _NARROW)
    limit = jnp.where((count >= MINIMUM) & (sigma > 0), mean + sigma * deviation, jnp.inf)
    counted = jnp.minimum(log, limit)
    share = 1.0 / jnp.minimum(count + 1.0, WINDOW)
    after = jnp.stack([mean + share * (counted - mean), square + share * (counted**2 - square), count + 1.0])
    return finite & (log <= limit), jnp.where(finite, after, normal)


class Events:
    """events.jsonl of a run: what happened beside training. Lines are appended, and stay when a run goes back."""

    def __init__(self, workdir: Path, write: bool = True):
        self.path = workdir / EVENTS if write else None

    def __call__(self, kind: str, step: int, **more: Any) -> None:
        if self.path is None:
            return
        row = {"event": kind, "step": step, "date": time.strftime("%Y-%m-%dT%H:%M:%S%z"), **more}
        with open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


def identity(batch: Mapping[str, Any], number: int) -> dict[str, Any]:
    """Which items a batch held: its number in the stream, places in it, data sets, and what the stream named them."""
    found: dict[str, Any] = {"batch": number}
    for name, value in batch.items():
        value = np.asarray(value)
        if name in ("index", "domain") or value.dtype.kind in "OSU":
            found[name] = [x.decode() if isinstance(x, bytes) else x for x in value.reshape(-1).tolist()]
    return found


class Guard:
    """Counts skipped steps in a row, and says when to go back.

    Args:
      config: `patience`, skipped steps in a row before going back; `rollbacks`, how often before the run ends.
      events: gets each skipped step with its batch.
      say: gets a line about it.
    """

    def __init__(
        self, config: ml_collections.ConfigDict | dict, events: Events, say: Callable[[str], None], skipped: int = 0
    ):
        self.patience, self.left = config.get("patience", 5), config.get("rollbacks", 3)
        self.events, self.say = events, say
        self.skipped, self.row = skipped, 0
        self.went_to: int | None = None  # the checkpoint of the last rollback

    def fine(self) -> None:
        """A finished step was not skipped."""
        self.row = 0

    def watch(self, step: int, metrics: Mapping[str, Any], batch: dict[str, Any]) -> bool:
        """Looks at a step that was skipped, its metrics on the host; True: go back."""
        self.skipped, self.row = int(metrics["skipped"]), self.row + 1
        values = {name: float(value) for name, value in metrics.items()}
        odd = sorted(name for name, value in values.items() if not math.isfinite(value))
        why = f"not finite: {', '.join(odd)}" if odd else "spike of the gradient norm"
        norms = {n: v if math.isfinite(v) else str(v) for n, v in values.items() if n.startswith(("grad_norm", "loss"))}
        self.events("skipped", step, why=why, in_a_row=self.row, **batch, **norms)
        self.say(f"step {step} skipped ({why}), batch {batch.get('batch')}; {self.row} in a row, see {EVENTS}")
        return self.row >= self.patience

    def choose(self, step: int, newest: Callable[[int], CheckpointInfo | None]) -> CheckpointInfo:
        """The checkpoint to go back to from that step.

        Args:
          newest: step -> newest whole checkpoint from before it.

        Raises:
          InputError: there is none, or this rollback is one too many.
        """
        if not self.left:
            raise InputError(
                f"training diverges: {self.row} steps in a row up to step {step} were skipped, and there were as many "
                f"rollbacks as config.guard.rollbacks allows; look at {EVENTS}, lower optimizer.lr, run again"
            )
        self.left -= 1
        found = newest(step - self.row + 1)
        if found is not None and found.step == self.went_to:  # it did not help the last time
            found = newest(found.step) or found
        if found is None:
            raise InputError(
                f"training diverges at step {step}, before there is a checkpoint to go back to: look at {EVENTS}, "
                "lower optimizer.lr"
            )
        return found

    def went_back(self, step: int, to: int, skipped: int) -> None:
        """The run stands at step `to` now, of a checkpoint that counts so many skipped steps."""
        self.events("rollback", step, to=to, rollbacks_left=self.left)
        self.say(f"{self.row} steps in a row were skipped: back to the checkpoint of step {to}, with later data")
        self.went_to, self.row, self.skipped = to, 0, skipped
