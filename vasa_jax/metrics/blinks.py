"""Blinks: short closures of the lids, counted and matched."""

import numpy as np
from jaxtyping import Float

CLOSED, OPEN = 0.55, 0.35
"""Closure at which a blink begins and ends; apart, so that noise about one threshold does not count twice."""
LONGEST = 0.6
"""Seconds; lids that stay down longer are a look down or a squint."""


def find_blinks(closure: Float[np.ndarray, "t 2"], fps: float = 25.0) -> list[tuple[int, int]]:
    """Blinks as (first frame, frame after the last) in lid closure 0 (open) .. 1 (closed), both eyes averaged.

    A closure under way at either end of the clip counts.
    """
    level = np.asarray(closure, np.float64).mean(-1)
    events, start = [], None
    for k, value in enumerate(level):
        if start is None and value >= CLOSED:
            start = k
        elif start is not None and value < OPEN:
            events.append((start, k))
            start = None
    if start is not None:
        events.append((start, len(level)))
    return [(a, b) for a, b in events if (b - a) / fps <= LONGEST]


def match_blinks(made: list[tuple[int, int]], real: list[tuple[int, int]], tolerance: int = 2) -> dict[str, int]:
    """How many blinks of either list meet one of the other; each is used once, `tolerance` frames may lie between.

    Returns:
      {"real", "made", "kept"}: kept / real is the recall, kept / made the precision.
    """
    free, kept = list(made), 0
    for first, end in real:
        meeting = [e for e in free if e[0] < end + tolerance and e[1] > first - tolerance]
        if meeting:
            free.remove(min(meeting, key=lambda e: abs(e[0] - first)))
            kept += 1
    return {"real": len(real), "made": len(made), "kept": kept}


def blinks_per_minute(count: int, frames: int, fps: float = 25.0) -> float:
    """Rate of `count` blinks in `frames` frames; people who speak have 15-30."""
    return 60.0 * fps * count / frames if frames else float("nan")
