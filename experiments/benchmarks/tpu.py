"""Suite `tpu`: what the train step needs on TPU chips that are not there.

The whole step (all losses, both players, optimisers, averages) is compiled by the TPU compiler itself, libtpu from the
package index (`pip install jax[tpu]`), for one chip described by `jax.experimental.topologies`. No number is measured
on a TPU: bytes are what the compiler has placed, seconds what it reckons (`optimal_seconds` of its cost analysis, which
takes every operation at its best speed: a lower bound). Whole pods, and a second estimate of time: `vasa-plan`.

    python -m experiments.benchmark --suite=tpu --configs=vasa_512 --chips=v5e,v6e,v5p --report=tpu_compile.json

For each chip two batch sizes are compiled; the line through their bytes gives the largest that should fit, which is
compiled to make sure. A compilation takes minutes and is kept in the cache folder under the hash of its program.
"""

import json
import math
import sys
from typing import Any

from experiments.benchmarks.decode import face_config
from experiments.common import dry_run
from experiments.planning import compiler, step, topology
from experiments.planning.topology import CHIPS
from vasa_jax.errors import UsageError


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Largest batch, bytes by part and estimated step of each configuration on each chip.

    Raises:
      UsageError: a chip is not known, or libtpu is missing.
    """
    known = [chip for chip in CHIPS if CHIPS[chip].devices == 1]
    if unknown := [chip for chip in options["chips"] if chip not in known]:
        raise UsageError(f"--chips: {', '.join(unknown)} is not known; choose from {', '.join(known)}")
    compiler.set_effort(options["effort"])
    report: dict[str, Any] = {
        "libtpu": topology.libtpu(),
        "meaning": " ".join((__doc__ or "").split("\n\n")[1].split()),
    }
    for name in options["configs"]:
        report[name] = {chip: largest(name, chip, options["batches"]) for chip in options["chips"]}
    return report


def largest(name: str, chip: str, batches: list[int]) -> dict[str, Any]:
    """Compiles at `batches`, then at the largest that should fit; all of them, and what the largest comes to."""
    tried: dict[int, dict[str, Any]] = {}
    todo = list(batches) or [2]
    while todo:
        batch = todo.pop(0)
        tried[batch] = compile_step(name, chip, batch)
        if not todo and (guess := next_batch(tried)):
            todo = [guess]
    best = max((batch for batch, found in tried.items() if found["fits"]), default=0)
    report: dict[str, Any] = {"largest_batch": best}
    if best:
        report["operations_asked"] = asked = dry_run.step_operations(face_config(name), best)
    if best and (seconds := tried[best]["step_seconds_reckoned"]):
        report["items_per_second_at_most"] = round(best / seconds, 3)
        report["share_of_peak_at_most"] = round(asked / seconds / CHIPS[chip].peak, 4)
    return report | {"compiled": {str(batch): tried[batch] for batch in sorted(tried)}}


def next_batch(tried: dict[int, dict[str, Any]]) -> int | None:
    """The batch to try next, from the line through the bytes of the two largest; None when the largest is known."""
    fits = max((batch for batch, found in tried.items() if found["fits"]), default=0)
    fails = min((batch for batch, found in tried.items() if not found["fits"]), default=sys.maxsize)
    low, high = (sorted(tried) * 2)[-2:] if len(tried) > 1 else (0, max(tried))
    used = tried[high]["bytes"]["total"]
    slope = (used - tried[low]["bytes"]["total"]) / (high - low) if low else used / high
    room = min(found["hbm"] for found in tried.values()) - used
    guess = min(high + math.floor(room / max(slope, 1.0)), fails - 1)
    return guess if guess > fits else None


def compile_step(name: str, chip: str, batch: int) -> dict[str, Any]:
    """Bytes by part and the compiler's estimates of the train step at a batch size on one chip."""
    compiled = step.compile_step(face_config(name), topology.parse(chip), step.Layout((1, 1, 1), batch))
    found = {"parts": compiled.parts, **compiled.found}
    print(json.dumps({"config": name, "chip": chip, "batch": batch, **found}), flush=True)
    return found
