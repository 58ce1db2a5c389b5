"""suite=blinks: how often generated faces blink, in the codes and, with a face tracker, in images of photographs.

`model` is what the motion model does by itself, `auto` what is shown (`vasa_jax.inference.blinks`). Counted in codes,
a blink may still be lost in the image; the tracker's count of the decoded frames is the one that matters.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.evaluation import tables
from vasa_jax.inference import blinks
from vasa_jax.metrics.blinks import blinks_per_minute, find_blinks

ALIVE = 8.0, 25.0
"""Blinks a minute of a face that seems alive; people who speak have 10 to 20."""
SHOWN = blinks.MODEL, blinks.AUTO


def rate(closure: Float[np.ndarray, "t 2"]) -> float:
    """Blinks a minute."""
    return blinks_per_minute(len(find_blinks(closure)), len(closure))


def in_codes(face: Any, made: Mapping[str, Iterable[Float[np.ndarray, "t m"]]]) -> dict[str, Any]:
    """Mode -> blinks a minute of every seed by the face model's label head, and of its mouth what blinks change."""
    read = {mode: [face.labels(motion) for motion in motions] for mode, motions in made.items()}
    report: dict[str, Any] = {mode: summary([rate(x["lids"]) for x in rows]) for mode, rows in read.items()}
    if set(SHOWN) <= set(read):
        pairs = zip(*(read[mode] for mode in SHOWN), strict=True)
        report["mouth_moved"] = max(float(np.abs(a["mouth"] - b["mouth"]).max()) for a, b in pairs)
    return report


def summary(rates: Sequence[float]) -> dict[str, Any]:
    """Rates of all seeds or people, their bounds, and the share of them within ALIVE."""
    low, high = ALIVE
    inside = np.mean([low <= value <= high for value in rates])
    bounds = {"mean": float(np.mean(rates)), "least": float(np.min(rates)), "most": float(np.max(rates))}
    return {"per_minute": [round(value, 2) for value in rates], **bounds, "alive": float(inside)}


def in_images(
    animate: Callable[[str, int, str], Any], reader: Any, portraits: Sequence[str], show_progress: Any = iter
) -> dict[str, Any]:
    """Mode -> blinks a minute of every portrait, as a face tracker counts them.

    Args:
      animate: (portrait, seed, mode) -> frames; portrait k speaks with seed k.
      reader: `reading.TrackReader`.
    """
    rates: dict[str, list[float]] = {mode: [] for mode in SHOWN}
    for seed, portrait in enumerate(show_progress(portraits)):
        for mode in SHOWN:
            images = np.stack(list(animate(portrait, seed, mode)))
            rates[mode].append(rate(reader.read(images).lids))
    return {"portraits": len(portraits), **{mode: summary(found) for mode, found in rates.items()}}


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    for where in ("codes", "pictures"):
        if where in report:
            rows = [(mode, report[where][mode]) for mode in SHOWN]
            lines = [
                [mode, *(tables.cell(row[k], 2) for k in ("mean", "least", "most", "alive"))] for mode, row in rows
            ]
            tables.show(f"blinks a minute, in {where}", ["", "mean", "least", "most", "within 8 to 25"], lines)
