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
    """Doubles the items on a device from `least` while they fit, for each mesh shape; the fastest layout that fits.

    A mesh that cannot hold what another held, or is slower with the same items, is not followed further. None when
    nothing fits.
    """
    chosen, fastest, rates = None, -1.0, {}
    for shape in shapes:
        items = least
        while tries > 0:
            tries -= 1
            fits, rate = measure(Layout(shape, items))
            if not fits:
                break
            if rate > fastest or (rate == 0.0 and chosen and items > chosen.batch_per_part):
                chosen, fastest = Layout(shape, items), max(rate, fastest)
            if rate < rates.get(items, 0.0):
                break
            rates[items] = max(rate, rates.get(items, 0.0))
            items *= 2
    return chosen
