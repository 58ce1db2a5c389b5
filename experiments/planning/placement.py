"""What a step takes of a device's memory and exchanges, told before the compiler writes machine code.

Placing arrays and exchanges takes the TPU compiler minutes; the code behind them takes it half an hour to hours. Given
a folder, it writes down what it has placed. So a process of its own compiles, and is ended as soon as that is there.
"""

import functools
import multiprocessing
import os
import re
import sys
import tempfile
import threading
import traceback
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path
from types import MappingProxyType
from typing import Any

import jax
import ml_collections

from experiments.planning import compiler
from experiments.planning.step import Compiled, Layout, compile_step
from experiments.planning.topology import Topology, prepare
from vasa_jax.errors import UserError

_ALLOCATION = re.compile(r"^allocation \d+: size (\d+)(.*)$", re.MULTILINE)
_ELSEWHERE = re.compile(r", (color [1-9]|thread-local)")
_ARRAY = re.compile(r"^ +\S+\( *\d+%\); +([\d.]+)([KMG]?)i?B; +\d+; +\d+; (.*)$", re.MULTILINE)
_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30}
_LAST = "after_optimizations-memory-usage-report"
_POLL_SECONDS = 1.0
_TPU_OPTIONS = {"xla_tpu_vmem_scavenging_mode": "none"}
"""What else fits on-chip memory is tried for very long on a tpu7x, and moves nothing in the main memory."""
_LISTED = 12


def compile_apart(config: ml_collections.ConfigDict, machine: Topology, spread: Layout) -> Compiled:
    """`step.compile_step` in a process that ends once memory is placed.

    Raises:
      RuntimeError: that process failed, with its words, or died; then the machine has most likely too little memory.
    """
    context = multiprocessing.get_context("spawn")
    here, there = context.Pipe()
    said = {"cache": jax.config.jax_compilation_cache_dir, "effort": compiler.effort()}
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        arguments = (there, said, folder, config, machine, spread)
        child = context.Process(target=_compile, args=arguments, daemon=True)
        child.start()
        there.close()
        try:
            found = here.recv()
        except EOFError:
            child.join()
            raise RuntimeError(f"the process that compiled ended with {child.exitcode} and said nothing") from None
        finally:
            child.kill()
            child.join()  # it writes into the folder as long as it lives
    if isinstance(found, Exception):
        raise found
    return found


def _compile(
    there: Connection, settings: dict[str, Any], folder: str, config: Any, machine: Topology, spread: Layout
) -> None:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    prepare(machine)
    jax.config.update("jax_compilation_cache_dir", settings["cache"])
    compiler.set_effort(settings["effort"])
    # What JAX itself has kept would not be compiled, and nothing written down.
    jax.config.update("jax_enable_compilation_cache", False)
    options = _TPU_OPTIONS if machine.chip else {}
    try:
        found = compile_step(config, machine, spread, place=functools.partial(place, folder=folder, options=options))
    except UserError as error:
        found = error
    except Exception as error:  # many of JAX's own do not survive the pipe
        found = RuntimeError("".join(traceback.format_exception(error)))
    try:
        there.send(found)
        sys.stdout.flush()
    finally:
        os._exit(0)  # the compiler goes on to write code that nobody will run


def _end_with_parent() -> None:
    """A planner that is killed takes its compiler with it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def place(lowered: Any, folder: str, options: Mapping[str, Any] = MappingProxyType({})) -> tuple[dict[str, Any], str]:
    """Bytes by part on a device, its largest arrays, and the text of a lowered program, as soon as it is placed.

    The compiler goes on in a thread that only the end of the process stops, and writes into `folder`.

    Raises:
      jax.errors.JaxRuntimeError: as the compiler does where it does not fit.
      RuntimeError: it came to its end and wrote nothing down.
    """
    failed: list[Exception] = []

    def compile_all() -> None:
        try:
            lowered.compile(compiler_options={**options, "xla_dump_to": folder})
        except Exception as error:
            failed.append(error)

    thread = threading.Thread(target=compile_all, daemon=True)
    thread.start()
    while thread.is_alive() and not _written(folder, _LAST):
        thread.join(_POLL_SECONDS)
    if failed:
        raise failed[0]
    if not _written(folder, _LAST):
        raise RuntimeError(f"the compiler wrote no {_LAST} into {folder}")
    text = lambda name: _written(folder, f"after_optimizations{name}").read_text()  # noqa: E731
    placed = {"bytes": read(text("-buffer-assignment")), "largest": largest(text("-memory-usage-report"))}
    return placed, text("")


def _written(folder: str, name: str) -> Path | None:
    return next(Path(folder).glob(f"*{name}.txt"), None)


def read(assignment: str) -> dict[str, int]:
    """Bytes by part of the compiler's list of what it has placed in a device's main memory.

    Machine code has no place yet (on a v5e 0.3 GiB for the 512 px step), and on-chip memories do not count.
    """
    sizes = dict.fromkeys(("arguments", "outputs_not_in_place", "temporary"), 0)
    for size, words in _ALLOCATION.findall(assignment):
        if _ELSEWHERE.search(words):
            continue
        part = "temporary"
        if ", parameter " in words:
            part = "arguments"
        elif "maybe-live-out" in words:
            part = "outputs_not_in_place"
        sizes[part] += int(size)
    return sizes


def largest(usage: str) -> list[dict[str, Any]]:
    """The places that take most of the main memory: bytes, as padded, and what lies there one after another."""
    main = usage.split("Memory Space: ")[1] if "Memory Space: " in usage else usage
    rows = [{"bytes": int(float(size) * _UNITS[unit]), "arrays": words} for size, unit, words in _ARRAY.findall(main)]
    return sorted(rows, key=lambda row: -row["bytes"])[:_LISTED]
