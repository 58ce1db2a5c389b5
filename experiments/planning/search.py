"""Looks for the layout that trains most items a second: mesh shapes first, then as many items as fit."""

from collections.abc import Callable, Iterator

from experiments.planning.step import Layout
from experiments.planning.topology import Topology

Measure = Callable[[Layout], tuple[bool, float]]
"""Layout -> (fits, items a second; 0 where nobody reckons them)."""


def meshes(machine: Topology, tensor: bool = False) -> Iterator[tuple[int, int, int]]:
    """Data alone, fsdp over a host, fsdp over everything; with `tensor` also pairs of devices that share layers."""
    count, host = machine.count, machine.one_host.count
    sizes = [(count, 1, 1), (count // host, host, 1), (1, count, 1)]
    if tensor:
        sizes.append((count // 2, 1, 2))
    seen = set()
    for data, fsdp, split in sizes:
        if data * fsdp * split == count and (data, fsdp, split) not in seen:
            seen.add((data, fsdp, split))
            yield data, fsdp, split


def best(measure: Measure, shapes: list[tuple[int, int, int]], *, least: int = 1, tries: int = 12) -> Layout | None:
    """The fastest layout that fits, of at most so many tries; None when none of them does.

    Doubles the items on a device from `least` while they fit. A next mesh shape begins with as many as fitted before:
    it is there to hold more, and with fewer it would have to win by its exchanges.
    """
    chosen, fastest, items = None, -1.0, least
    for shape in shapes:
        fits = True
        while fits and tries > 0:
            tries -= 1
            fits, rate = measure(Layout(shape, items))
            better = rate > fastest or (rate == 0.0 and (chosen is None or items > chosen.batch_per_part))
            if fits and better:
                chosen, fastest = Layout(shape, items), rate
            items = items * 2 if fits else max(items // 2, least)
        items = chosen.batch_per_part if chosen else least
    return chosen
