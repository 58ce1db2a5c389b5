"""What a compiled step means: seconds, items a second, days of the run, and what to change when it does not fit."""

import math
from collections import defaultdict
from typing import Any

import ml_collections

from experiments.planning.program import Program
from experiments.planning.step import INSIDE, Compiled
from experiments.planning.topology import Topology

ITEMS = {"face": "pairs of frames", "motion": "windows", "pose": "pictures"}
_DAY = 86_400


def step_seconds(machine: Topology, compiled: Compiled) -> dict[str, float | None]:
    """The compiler's estimates of computing, ours of exchanging, and their sum, as if nothing overlapped.

    Computing: the cycles that the compiler wrote beside each operation, in the order it will run them. `at_least` is
    its other estimate, every operation at its best; `at_peak` its operations over the peak of the chip. Exchanging:
    bytes that must leave a device over what its links carry, without latency.

    A compiler that was told to try less (effort below 0) takes convolutions that are 4 to 26 times slower by its own
    cycles (results/tpu_probes.json), which say nothing of a real run: computing and the step are then None, as they are
    for a compiler that was stopped before it wrote code.
    """
    names = ("compute", "compute_at_least", "compute_at_peak", "collectives", "step")
    seconds = dict.fromkeys(names) | {"compute_at_least": compiled.found.get("step_seconds_reckoned")}
    if machine.chip is None or compiled.program is None:
        return seconds
    seconds["collectives"] = exchange_seconds(machine, compiled.program)
    if operations := compiled.found.get("operations_compiled"):
        seconds["compute_at_peak"] = operations * machine.chip.devices / machine.chip.peak
    if compiled.found.get("effort", 0.0) >= 0 and not compiled.found.get("placed"):
        seconds["compute"] = compiled.program.cycles / machine.chip.clock
        seconds["step"] = seconds["compute"] + seconds["collectives"]
    return seconds


def exchange_seconds(machine: Topology, program: Program) -> float:
    """Seconds that the collectives take at least: the links of a chip are shared by its devices."""
    wire = sum(collective.wire * count for collective, count in program.collectives.items())
    return wire * machine.chip.devices / machine.chip.links


def by_kind(program: Program | None) -> list[dict[str, Any]]:
    """Collectives of one step on one device: kind, how many devices take part, how often, bytes."""
    rows: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0, 0])
    for collective, count in (program.collectives if program else {}).items():
        row = rows[collective.kind, collective.ways]
        row[0] += count
        row[1] += count * collective.payload
    made = [{"kind": kind, "ways": ways, "count": n, "bytes": size} for (kind, ways), (n, size) in rows.items()]
    return sorted(made, key=lambda row: -row["bytes"])


def report(config: ml_collections.ConfigDict, machine: Topology, compiled: Compiled) -> dict[str, Any]:
    """Everything about one layout of one configuration on one machine, as JSON."""
    found, spread = compiled.found, compiled.layout
    devices = machine.chip.devices if machine.chip else 1
    seconds = step_seconds(machine, compiled)
    step, exchange, at_peak = (seconds[name] for name in ("step", "collectives", "compute_at_peak"))
    collectives = by_kind(compiled.program)
    return {
        "fits": found["fits"],
        "bytes_per_chip": devices * found["bytes"]["total"],
        "hbm_per_chip": devices * found["hbm"],
        "step_seconds": step,
        "collective_bytes": sum(row["bytes"] for row in collectives),
        "items_per_second": spread.batch_size / step if step else None,
        "items": ITEMS.get(config.task, "items"),
        "days": config.steps * step / _DAY if step else None,
        "steps": config.steps,
        "batch_size": spread.batch_size,
        "batch_per_device": spread.batch_per_part,
        "mesh": dict(zip(("data", "fsdp", "tensor"), spread.mesh)),
        "chips": machine.chips,
        "devices": machine.count,
        "seconds": seconds,
        "collective_share": exchange / step if step else None,
        "collective_share_at_most": exchange / (at_peak + exchange) if at_peak else None,
        "collectives": collectives,
        "loops_of_unknown_length": compiled.program.open_loops if compiled.program else None,
        "bytes_per_device": found["bytes"],
        "parts_per_device": compiled.parts,
        "largest": found.get("largest", []),
        "operations_compiled": found.get("operations_compiled"),
        "compile_seconds": found.get("compile_seconds"),
        "effort": found.get("effort", 0.0),
        "placed_only": found.get("placed", False),
        "suggestion": "" if found["fits"] else suggestion(config, machine, compiled),
    }


def with_parts(report: dict[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """A report with the seconds of the step's parts (`parts.seconds`), which stand in where the whole has none."""
    by_parts = sum(part["seconds"] for part in parts)
    seconds = report["seconds"] | {"compute_by_parts": by_parts}
    added = {"seconds": seconds, "parts_of_step": parts}
    if report["step_seconds"] is not None or seconds["collectives"] is None:
        return report | added
    step = seconds["step"] = by_parts + seconds["collectives"]
    return (
        report
        | added
        | {
            "step_seconds": step,
            "items_per_second": report["batch_size"] / step,
            "days": report["steps"] * step / _DAY,
            "collective_share": seconds["collectives"] / step,
        }
    )


def efficiency(pod: dict[str, Any], host: dict[str, Any]) -> dict[str, Any]:
    """Speed of a device of the pod beside one of the host, with as many items each.

    Where the compiler gave seconds for both, by these. Else computing counts at the chip's peak, the same for both:
    exchanges weigh most then, and "efficiency" is the least that it can be ("bound").
    """
    ours, theirs = pod["step_seconds"], host["step_seconds"]
    if ours and theirs:
        return {"efficiency": theirs / ours, "bound": False}
    peaks = [report["seconds"]["compute_at_peak"] for report in (pod, host)]
    if None in peaks:
        return {"efficiency": None, "bound": False}
    ours, theirs = (min(peaks) + report["seconds"]["collectives"] for report in (pod, host))
    return {"efficiency": theirs / ours, "bound": True}


def suggestion(config: ml_collections.ConfigDict, machine: Topology, compiled: Compiled) -> str:
    """What to change first when a step does not fit: the largest part decides."""
    state = sum(size for name, size in compiled.parts.items() if name != "batch" and name not in INSIDE)
    room, used = compiled.found["hbm"], compiled.found["bytes"]["total"]
    spread = compiled.layout
    if state > 0.4 * room and spread.mesh[1] == 1 and machine.count > 1:
        ways = min(machine.count, 2 ** math.ceil(math.log2(max(state / (0.2 * room), 2))))
        return (
            f"parameters, optimiser and averages take {gib(state)} of {gib(room)}: "
            f"split them, --config.mesh.fsdp={ways}"
        )
    if config.task == "face" and not config.model.get("block", {}).get("remat", ""):
        return "compute residual blocks again in the backward pass: --config.model.block.remat=blocks"
    if config.task == "motion" and not config.model.get("remat", ""):
        return "compute the layers again in the backward pass: --config.model.remat=blocks"
    if spread.batch_per_part > 1:
        batch = max(1, math.floor(spread.batch_per_part * max(room - state, 0) / max(used - state, 1)))
        fewer = min(batch, spread.batch_per_part - 1)
        return (
            f"fewer items at a time: --batch_per_device={fewer}, or the same batch in parts with "
            f"--config.accumulate={math.ceil(spread.batch_per_part / fewer)}"
        )
    if spread.mesh[2] == 1 and machine.count > 1:
        return "one item is too much for a device: --config.mesh.tensor=2 splits the layers over two"
    return "nothing left to split here: a chip with more memory, or a smaller model"


def gib(size: float) -> str:
    """Bytes for people."""
    return f"{size / 2**30:.2f} GiB" if size >= 2**28 else f"{size / 2**20:.1f} MiB"


def span(days: float) -> str:
    """A length of time for people."""
    return f"{days:.1f} days" if days >= 2 else f"{24 * days:.1f} hours"
