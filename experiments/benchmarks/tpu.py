"""Suite `tpu`: what the train step needs on TPU chips that are not there.

The whole step (all losses, both players, optimisers, averages) is compiled by the TPU compiler itself, libtpu from the
package index (`pip install jax[tpu]`), for one chip described by `jax.experimental.topologies`. No number is measured
on a TPU: bytes are what the compiler has placed, seconds what it reckons (`optimal_seconds` of its cost analysis, which
takes every operation at its best speed: a lower bound).

    python -m experiments.benchmark --suite=tpu --configs=vasa_512 --chips=v5e,v6e,v5p --report=tpu_compile.json

For each chip two batch sizes are compiled; the line through their bytes gives the largest that should fit, which is
compiled to make sure. A compilation takes minutes and is kept in the cache folder under the hash of its program.
"""

import hashlib
import json
import math
import os
import re
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
from absl import logging

from experiments import dry_run
from experiments.benchmarks.decode import face_config
from vasa_jax import files
from vasa_jax.errors import UsageError


class Chip(NamedTuple):
    """A topology with the chip, its peak in bfloat16 in FLOP/s (cloud.google.com/tpu/docs), bytes a program may use.

    The compiler keeps a little of the memory back; what it leaves is in its message for programs that are too large.
    """

    topology: str
    peak: float
    memory: int


CHIPS = {
    "v5e": Chip("v5e:2x2", 197e12, int(15.75 * 2**30)),
    "v6e": Chip("v6e:2x2", 918e12, int(31.25 * 2**30)),
    "v5p": Chip("v5p:2x2x1", 459e12, int(95.74 * 2**30)),
}
_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "": 1}
_SIZE = r"([\d.]+)([KMGT]?)"
_FULL = re.compile(rf"Used {_SIZE} of {_SIZE} hbm")
_FULL_TEMPORARY = re.compile(rf"temporaries \({_SIZE}\) exceeds available HBM \({_SIZE}\)")


def run(options: dict[str, Any]) -> dict[str, Any]:
    """Largest batch, bytes by part and estimated step of each configuration on each chip.

    Raises:
      UsageError: a chip is not known, or libtpu is missing.
    """
    unknown = [chip for chip in options["chips"] if chip not in CHIPS]
    if unknown:
        raise UsageError(f"--chips: {', '.join(unknown)} is not known; choose from {', '.join(CHIPS)}")
    report: dict[str, Any] = {"libtpu": _libtpu(), "meaning": " ".join((__doc__ or "").split("\n\n")[1].split())}
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
        asked, seconds = dry_run.step_operations(face_config(name), best), tried[best]["step_seconds_reckoned"]
        report["operations_asked"] = asked
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
    from vasa_jax.ops import choice
    from vasa_jax.training.partition import MeshPartitioner

    start = time.monotonic()
    with choice.as_on("tpu"):
        make, state, example = dry_run.pure_step(face_config(name), batch)
        step = MeshPartitioner(devices=device(chip)).step(make, state)
        lowered = step.trace(state, example, dry_run.example_key()).lower()
    text = lowered.as_text()
    kept = _cache() / f"{hashlib.sha256(f'{chip} {_libtpu()} {text}'.encode()).hexdigest()[:24]}.json"
    if kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))
    print(f"{name} on {chip}, batch {batch}: compiling ({time.monotonic() - start:.0f} s to trace)", flush=True)
    found: dict[str, Any] = {"parts": parts(state, example)}
    try:
        found |= _analysis(lowered.compile(), chip)
    except jax.errors.JaxRuntimeError as error:
        found |= too_large(str(error), _bytes(state) + _bytes(example))
    found["compile_seconds"] = round(time.monotonic() - start, 1)
    files.write_json(kept, found)
    print(json.dumps({"config": name, "chip": chip, "batch": batch, **found}), flush=True)
    return found


def too_large(message: str, arguments: int) -> dict[str, Any]:
    """What the compiler says of a step that does not fit, or raises if it says something else.

    Args:
      message: of its error. One kind counts everything, the other what the step needs beside its arguments.
      arguments: bytes of the state and the batch.
    """
    if full := _FULL.search(message):
        beside = 0
    elif full := _FULL_TEMPORARY.search(message):
        beside = arguments
    else:
        raise RuntimeError(f"the TPU compiler failed: {message}")
    used, unit, memory, memory_unit = full.groups()
    total = beside + int(float(used) * _UNITS[unit])
    return {"fits": False, "bytes": {"total": total}, "hbm": int(float(memory) * _UNITS[memory_unit])}


def device(chip: str) -> list[Any]:
    """One chip of a described topology.

    Raises:
      UsageError: libtpu is not installed.
    """
    # Or libtpu asks a cloud's metadata server, which is not there, what machine it is on.
    os.environ.setdefault("TPU_SKIP_MDS_QUERY", "1")
    # Only compiling, no chip to share: another process may do the same.
    os.environ.setdefault("ALLOW_MULTIPLE_LIBTPU_LOAD", "1")
    from jax.experimental import topologies

    try:
        return [topologies.get_topology_desc(platform="tpu", topology_name=CHIPS[chip].topology).devices[0]]
    except Exception as error:
        raise UsageError(f"the TPU compiler is not here ({error}); pip install 'jax[tpu]' beside this jax") from error


def parts(state: Any, batch: Any) -> dict[str, int]:
    """Bytes of what lives over a step, by part."""
    params = {f"parameters_{player}": _bytes(tree) for player, tree in state.params.items()}
    return params | {
        "optimizer": _bytes(state.opt_state),
        "average": _bytes(state.ema),
        "gradients": _bytes(state.params),
        "batch": _bytes(batch),
    }


def _analysis(compiled: Any, chip: str) -> dict[str, Any]:
    memory, cost = compiled.memory_analysis(), compiled.cost_analysis()
    sizes = {
        "arguments": memory.argument_size_in_bytes,
        "outputs_not_in_place": memory.output_size_in_bytes - memory.alias_size_in_bytes,
        "temporary": memory.temp_size_in_bytes,
        "program": memory.generated_code_size_in_bytes,
    }
    return {
        "fits": True,
        "bytes": sizes | {"total": sum(sizes.values())},
        "hbm": CHIPS[chip].memory,
        "step_seconds_reckoned": float(cost["optimal_seconds"]),
        "operations_compiled": float(cost.get("flops", 0.0)),
        "bytes_accessed": float(cost.get("bytes accessed", 0.0)),
    }


def _bytes(tree: Any) -> int:
    return sum(math.prod(leaf.shape) * leaf.dtype.itemsize for leaf in jax.tree.leaves(tree))


def _libtpu() -> str:
    import importlib.metadata

    try:
        return importlib.metadata.version("libtpu")
    except importlib.metadata.PackageNotFoundError as error:
        raise UsageError("libtpu is not installed; pip install 'jax[tpu]' beside this jax") from error


def _cache() -> Path:
    folder = Path(jax.config.jax_compilation_cache_dir or ".") / "tpu"
    folder.mkdir(parents=True, exist_ok=True)
    logging.info("compilations are kept in %s", folder)
    return folder
