"""Times of things that are compared: measured in turns, so that other work on the machine slows down all of them."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np


class Lap(NamedTuple):
    """One measurement: `items` done in `wall` seconds, with `cpu` seconds of all threads of this process."""

    items: int
    wall: float
    cpu: float


def lap(work: Callable[[], int]) -> Lap:
    """Times one call; it returns how many items it has done."""
    wall, cpu = time.perf_counter(), time.process_time()
    items = work()
    return Lap(items, time.perf_counter() - wall, time.process_time() - cpu)


def in_turns(jobs: Mapping[str, Callable[[], Lap]], rounds: int) -> dict[str, list[Lap]]:
    """Runs every job once untimed, to warm up, then all of them in turn `rounds` times."""
    for job in jobs.values():
        job()
    laps: dict[str, list[Lap]] = {name: [] for name in jobs}
    for _ in range(rounds):
        for name, job in jobs.items():
            laps[name].append(job())
    return laps


def rate(laps: Iterable[Lap]) -> dict[str, float | None]:
    """Items a second of wall time, and milliseconds of processor time an item: medians, and the slow end (p95).

    Where other work holds the cores, only the processor times say something: per_cpu_second is what one free core does.
    """
    laps = list(laps)
    seconds = np.asarray([lap.wall / lap.items for lap in laps])
    cpu = 1e3 * np.asarray([lap.cpu / lap.items for lap in laps])
    return {
        "per_second_p50": _digits(1 / np.median(seconds)),
        "per_second_p95": _digits(1 / np.quantile(seconds, 0.95)),
        "cpu_ms_p50": _digits(np.median(cpu)),
        "cpu_ms_p95": _digits(np.quantile(cpu, 0.95)),
        "per_cpu_second_p50": _digits(1e3 / np.median(cpu)) if cpu.all() else None,
    }


def share(laps: Iterable[Lap], bare: Iterable[Lap]) -> dict[str, float]:
    """Speed as a share of the bare job's, round by round, in wall time and in processor time; medians and extremes."""
    pairs = list(zip(laps, bare, strict=True))
    wall = np.asarray([(b.wall / b.items) / (a.wall / a.items) for a, b in pairs])
    cpu = np.asarray([(b.cpu / b.items) / (a.cpu / a.items) for a, b in pairs])
    return {
        "share_p50": _digits(np.median(wall)),
        "share_lowest": _digits(wall.min()),
        "share_highest": _digits(wall.max()),
        "cpu_share_p50": _digits(np.median(cpu)),
    }


def quantiles(seconds: Iterable[float]) -> dict[str, Any]:
    """p50 and p95 in milliseconds, and of how many."""
    values = 1e3 * np.asarray(list(seconds))
    return {"p50_ms": _digits(np.median(values)), "p95_ms": _digits(np.quantile(values, 0.95)), "n": len(values)}


def _digits(value: float) -> float:
    return float(f"{value:.4g}")
