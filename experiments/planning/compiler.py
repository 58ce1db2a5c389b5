"""Compiling for devices that are not there: results kept under the hash of the program, messages read.

A compilation for a pod takes minutes to hours of one core, so what came of it is kept in the cache folder, together
with the compiled program's text: a better reading of the text does not have to compile again.
"""

import gzip
import hashlib
import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
from absl import logging

from vasa_jax import files

Place = Callable[[Any], tuple[dict[str, Any], str]]
"""Lowered program -> bytes by part on a device and largest arrays, and its text."""

_UNITS = {"K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40, "": 1}
_SIZE = r"([\d.]+)([KMGT]?)"
_FULL = re.compile(rf"Used {_SIZE} of {_SIZE} hbm")
_FULL_TEMPORARY = re.compile(rf"temporaries \({_SIZE}\) exceeds available HBM \({_SIZE}\)")


_effort = 0.0


def set_effort(effort: float) -> None:
    """How hard the compiler tries, -1 (quick) to 1; 0 is its own choice. Results of every effort are kept apart.

    From jax 0.12 on XLA knows four levels in place of numbers, and takes the nearest.
    """
    global _effort
    _effort = effort
    if hasattr(jax.config, "jax_exec_time_optimization_effort"):
        jax.config.update("jax_exec_time_optimization_effort", effort)
        jax.config.update("jax_memory_fitting_effort", effort)
    else:
        level = "O0" if effort <= -0.5 else "O1" if effort < 0 else "O2" if effort <= 0.5 else "O3"
        # What JAX itself begins with: the compiler's choice for speed, and O2 for memory.
        jax.config.update("jax_optimization_level", level if effort else "UNKNOWN")
        jax.config.update("jax_memory_fitting_level", level)


def effort() -> float:
    """What `set_effort` set."""
    return _effort


def _say(text: str) -> None:
    print(text, flush=True)  # a process that is ended would take it along


def compile_kept(
    lowered: Any,
    key: str,
    *,
    memory: int,
    arguments: int,
    place: Place | None = None,
    say: Callable[[str], None] = _say,
) -> dict[str, Any]:
    """What the compiler made of a lowered step, from the cache where it is there.

    Args:
      lowered: of `jax.jit(...).lower(...)`.
      key: the device and the compiler's version; with the program it names what is kept.
      memory: bytes a device has for a program.
      arguments: bytes of the step's arguments on a device.
      place: compiles as far as memory is placed, in place of all; see `Place`.
      say: told when the compiler begins.

    Returns:
      fits, bytes by part and in total, hbm, operations_compiled, bytes_accessed, step_seconds_reckoned (None where the
      compiler reckons none), compile_seconds, effort where it is not 0, placed where it was only placed; `text`: path
      of the program's text, where it was compiled and kept.
    """
    key = f"{key} effort {effort()}" if effort() else key
    name = hashlib.sha256(f"{key} {lowered.as_text()}".encode()).hexdigest()[:24]
    folder = cache()
    if place and not (folder / f"{name}.json").is_file():
        name += "-placed"
    kept, text = folder / f"{name}.json", folder / f"{name}.hlo.gz"
    if not kept.is_file():
        say(f"compiling for {key}; the result will be kept as {kept}")
        start = time.monotonic()
        try:
            found, words = _placed(lowered, place, memory) if place else _compiled(lowered, memory)
        except jax.errors.JaxRuntimeError as error:
            found = too_large(str(error), arguments)
            files.write_text(folder / f"{name}.txt", str(error))  # it lists the largest allocations
        else:
            with files.replacing(text) as temporary:
                temporary.write_bytes(gzip.compress(words.encode(), compresslevel=4))
        found["compile_seconds"] = round(time.monotonic() - start, 1)
        if effort():
            found["effort"] = effort()
        files.write_json(kept, found)
    found = json.loads(kept.read_text(encoding="utf-8"))
    return found | ({"text": str(text)} if text.is_file() else {})


def _compiled(lowered: Any, memory: int) -> tuple[dict[str, Any], str]:
    compiled = lowered.compile()
    return analysis(compiled, memory), compiled.as_text()


def _placed(lowered: Any, place: Place, memory: int) -> tuple[dict[str, Any], str]:
    found, words = place(lowered)
    total = sum(found["bytes"].values())
    found["bytes"] |= {"total": total}
    return found | {"fits": total <= memory, "hbm": memory, "placed": True}, words


def text_of(found: dict[str, Any]) -> str:
    """The compiled program's text, or "" where it does not fit or was compiled before texts were kept."""
    return gzip.decompress(Path(found["text"]).read_bytes()).decode() if "text" in found else ""


def analysis(compiled: Any, memory: int) -> dict[str, Any]:
    """Bytes that the compiler has placed on a device, and its estimates."""
    placed, cost = compiled.memory_analysis(), compiled.cost_analysis() or {}
    sizes = {
        "arguments": placed.argument_size_in_bytes,
        "outputs_not_in_place": placed.output_size_in_bytes - placed.alias_size_in_bytes,
        "temporary": placed.temp_size_in_bytes,
        "program": placed.generated_code_size_in_bytes,
    }
    total, seconds = sum(sizes.values()), float(cost.get("optimal_seconds", 0.0))
    return {
        "fits": total <= memory,
        "bytes": sizes | {"total": total},
        "hbm": memory,
        "step_seconds_reckoned": seconds if seconds > 0 else None,
        "operations_compiled": float(cost.get("flops", 0.0)),
        "bytes_accessed": float(cost.get("bytes accessed", 0.0)),
    }


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


def cache() -> Path:
    """Where compilations are kept."""
    folder = Path(jax.config.jax_compilation_cache_dir or os.curdir) / "tpu"
    folder.mkdir(parents=True, exist_ok=True)
    logging.info("compilations are kept in %s", folder)
    return folder
