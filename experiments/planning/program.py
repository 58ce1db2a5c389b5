"""What a compiled program does each time it runs, read from its text (scheduled HLO).

Collectives by kind, payload and number of devices that take part, and the cycles that the TPU compiler has written
beside each operation. Bodies of loops count as often as the loop turns; of branches the longest counts.
"""

import functools
import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute", "collective-broadcast")
_BITS = {"pred": 8, "bf16": 16, "c64": 64, "c128": 128}
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_INSTRUCTION = re.compile(r"^\s+(?:ROOT )?%?([\w.\-]+) = (.*)$")
_OPCODE = re.compile(r" ([a-z][a-z0-9\-]*)\(")
_ARRAY = re.compile(r"\b(pred|bf16|c64|c128|[suf]\d+(?:e\d+m\d+\w*)?)\[([\d,]*)\]")
_CALLED = re.compile(r"(?:calls|to_apply|body|true_computation|false_computation)=%?([\w.\-]+)")
_BRANCHES = re.compile(r"branch_computations=\{([^}]*)\}")
_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_CONDITION = re.compile(r"condition=%?([\w.\-]+)")


class Collective(NamedTuple):
    """One exchange. `payload`: bytes that one device ends with or begins with, whichever is more."""

    kind: str
    payload: int
    ways: int

    @property
    def wire(self) -> float:
        """Bytes that leave each device when the exchange goes round a ring, which no way of doing it undercuts."""
        share = (self.ways - 1) / self.ways
        return self.payload * {"all-reduce": 2 * share, "collective-permute": 1.0}.get(self.kind, share)


class Program(NamedTuple):
    """What one run does on each device. `cycles` is 0 where the compiler wrote none; `open_loops` counted once."""

    collectives: Counter[Collective]
    cycles: int
    open_loops: int


class _Operation(NamedTuple):
    opcode: str
    result: str
    rest: str


def read(text: str, devices: int) -> Program:
    """Reads the text of a compiled program for so many devices."""
    computations, entry = _computations(text)

    @functools.cache
    def total(name: str) -> Program:
        collectives: Counter[Collective] = Counter()
        cycles = open_loops = 0
        for operation in computations.get(name, ()):
            own, times = _own(operation, devices), 1
            collectives.update(own)
            inner = [total(called) for called in _callees(operation)]
            if operation.opcode == "while":
                turns = _turns(operation, computations)
                times, open_loops = turns or 1, open_loops + (turns is None)
            elif operation.opcode == "conditional" and inner:
                inner = [max(inner, key=lambda one: (one.cycles, sum(one.collectives.values())))]
            for one in inner:
                scattered = _scattered(operation, one.collectives)
                collectives.update({collective: times * count for collective, count in scattered.items()})
                open_loops += one.open_loops
                # The cycles of a fusion stand beside the fusion; those of its parts have gone into them.
                cycles += times * one.cycles if operation.opcode != "fusion" else 0
            if not own and not any(one.collectives for one in inner):
                cycles += _written(operation)
        return Program(collectives, cycles, open_loops)

    return total(entry)


def _computations(text: str) -> tuple[dict[str, list[_Operation]], str]:
    computations: dict[str, list[_Operation]] = {}
    entry, inside = "", None
    for line in text.splitlines():
        if opened := _COMPUTATION.match(line):
            inside = computations.setdefault(opened[2], [])
            entry = opened[2] if opened[1] else entry
        elif inside is not None and (found := _INSTRUCTION.match(line)):
            if opcode := _OPCODE.search(found[2]):
                inside.append(_Operation(opcode[1], found[2][: opcode.start()], found[2][opcode.end() :]))
    return computations, entry


def _callees(operation: _Operation) -> Iterator[str]:
    yield from _CALLED.findall(operation.rest)
    for names in _BRANCHES.findall(operation.rest):
        yield from (name.strip().lstrip("%") for name in names.split(","))


def _own(operation: _Operation, devices: int) -> Counter[Collective]:
    """The exchange that an operation is, if it is one; `-done` ends what `-start` has been counted for."""
    started = operation.opcode.endswith("-start")
    kind = operation.opcode.removesuffix("-start")
    if kind not in KINDS:
        return Counter()
    ways = devices if kind == "collective-permute" else _ways(operation.rest, devices)
    size = _bytes(operation.result)
    if kind == "reduce-scatter":
        size *= ways
    if started and kind == "all-gather":  # its result holds the pieces that go in as well
        size = size * ways // (ways + 1)
    if started and kind == "collective-permute":
        size //= 2
    return Counter({Collective(kind, size, ways): 1}) if ways > 1 else Counter()


def _scattered(operation: _Operation, inner: Counter[Collective]) -> Counter[Collective]:
    """A TPU's reduce-scatter is a fusion of an all-reduce with the slice that is kept of it."""
    if operation.opcode != "fusion" or "all-reduce-scatter" not in operation.rest:
        return inner
    return Counter({c._replace(kind="reduce-scatter") if c.kind == "all-reduce" else c: n for c, n in inner.items()})


def _ways(rest: str, devices: int) -> int:
    """Devices that take part together, from the three ways that groups are written in."""
    if axes := re.search(r"replica_groups=mesh\[([^\]]*)\][^{]*\{([^}]*)\}", rest):
        sizes = {name: int(size) for name, size in re.findall(r"'([^']+)'=(\d+)", axes[1])}
        used = re.findall(r"'([^']+)'(?::\(\d+\)(\d+))?", axes[2])
        return math.prod(int(part) if part else sizes[name] for name, part in used)
    if iota := re.search(r"replica_groups=\[(\d+),(\d+)\]<=", rest):
        return int(iota[2])
    if listed := re.search(r"replica_groups=\{\{([\d,]*)\}", rest):
        return listed[1].count(",") + 1
    return devices


def _bytes(result: str) -> int:
    total = 0
    for kind, shape in _ARRAY.findall(result):
        bits = _BITS.get(kind) or int(re.match(r"[suf](\d+)", kind)[1])
        total += math.prod(int(size) for size in shape.split(",") if size) * bits // 8
    return total


def _written(operation: _Operation) -> int:
    found = _CYCLES.search(operation.rest)
    return int(found[1]) if found else 0


def _turns(operation: _Operation, computations: dict[str, list[_Operation]]) -> int | None:
    """How often a loop turns: said beside it, or the one constant that its condition counts up to."""
    if known := _TRIPS.search(operation.rest):
        return int(known[1])
    condition = _CONDITION.search(operation.rest)
    inside = computations.get(condition[1], []) if condition else []
    limits = [one.rest.split(")")[0] for one in inside if one.opcode == "constant" and one.result.startswith("s32[]")]
    below = any(one.opcode == "compare" and "direction=LT" in one.rest for one in inside)
    return int(limits[0]) if below and len(limits) == 1 else None
