"""How steadily a run trained, from its metrics.jsonl: what the guard undid, what was clipped, what jumped.

A jump is a value many times the median of the logged steps before it. Losses that start late move the total by
design, so jumps are looked for in the pixel loss, which has the same weight from the first step to the last, and in the
norms of the gradients before clipping.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from vasa_jax.errors import InputError

WINDOW, FEWEST = 50, 10
JUMP = {"pixel": 3.0, "grad_norm_model": 10.0, "grad_norm_discriminator": 10.0}
"""How many times the running median counts as a jump; gradients of single batches differ more than losses do."""

_FIELDS = ("steps", "batch_size", "transfer_every", "loss", "loss_start", "loss_ramp", "contrast", "r1", "features")


def read_rows(workdir: str | Path) -> list[dict[str, Any]]:
    """The logged steps of a run; InputError where there are none."""
    path = Path(workdir) / "metrics.jsonl"
    try:
        rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); give --checkpoint the workdir of a run") from error
    if not rows:
        raise InputError(f"{path}: no step was logged yet; let the run go on")
    return rows


def jumps(values: Sequence[float], times: float) -> list[tuple[int, float]]:
    """(place, ratio) of the values above `times` the median of up to `WINDOW` before them."""
    found = []
    for place in range(FEWEST, len(values)):
        before = float(np.median(values[max(place - WINDOW, 0) : place]))
        if values[place] > times * before:
            found.append((place, values[place] / max(before, 1e-12)))
    return found


def summary(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the rows of metrics.jsonl show; a null stands for a value that was not finite."""
    names = [name for name in JUMP if name in rows[0]]
    report: dict[str, Any] = {
        "last_step": rows[-1]["step"],
        "logged_steps": len(rows),
        "guard_interventions": rows[-1]["skipped"],
        "not_finite": sum(value is None for row in rows for value in row.values()),
        "jumps": {},
    }
    for name in names:
        kept = [(row["step"], row[name]) for row in rows if row[name] is not None]
        steps, values = (np.asarray(part) for part in zip(*kept, strict=True))
        report[name] = {"first": values[0], "last_50_mean": values[-WINDOW:].mean(), "median": np.median(values)}
        report[name] |= {"max": values.max(), "max_at_step": steps[values.argmax()]}
        found = jumps(values, JUMP[name])
        report["jumps"][name] = [{"step": steps[place], "times_median": ratio} for place, ratio in found]
    return report


def report(workdir: str | Path) -> dict[str, Any]:
    """`summary` of a run with the parts of its configuration that bear on it."""
    result = summary(read_rows(workdir))
    manifest = Path(workdir) / "run_manifest.json"
    config = json.loads(manifest.read_text(encoding="utf-8"))["config"] if manifest.is_file() else {}
    starts = config.get("loss_start", {})
    ramps = config.get("loss_ramp", {})
    last = max((starts[name] + ramps.get(name, 0) for name in starts), default=0)
    return {
        "workdir": Path(workdir).name,
        "all_losses_on_from_step": last,
        **result,
        "thresholds": {"window": WINDOW, **JUMP},
        "config": {name: config[name] for name in _FIELDS if name in config},
    }


def show(result: Mapping[str, Any]) -> None:
    """Prints what matters of a report."""
    print(f"{result['workdir']}: {result['last_step']} steps, {result['guard_interventions']} undone by the guard")
    print(f"  values not finite: {result['not_finite']}; all losses on from step {result['all_losses_on_from_step']}")
    for name, found in result["jumps"].items():
        limit, most = result["thresholds"][name], result[name]["max"]
        print(f"  {name}: {len(found)} above {limit:g} times the running median; largest {most:.3g}")
