"""Whether generated motion moves as much as real motion, and differs where nothing determines it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from vasa_jax.metrics import angles, mouth_changes

_TINY = 1e-9
BANDS = (0.0, 1.0, 3.0, 6.0, 12.5)
"""Edges in Hz at 25 frames a second: sway, nods and phrases, syllables, and what is faster."""

Clips = Sequence[Float[np.ndarray, "_ m"]] | Float[np.ndarray, "_ _ m"]
"""Motion frame by frame; clips of one length may be one array."""


def movement(clips: Clips) -> Float[np.ndarray, " m"]:
    """Standard deviation within clips of every value of the motion: each clip about its own mean, all frames pooled."""
    centred = np.concatenate([np.asarray(clip, np.float64) - np.mean(clip, 0) for clip in clips])
    return np.sqrt(np.square(centred).mean(0))


def movement_ratio(made: Clips, real: Clips) -> Float[np.ndarray, " m"]:
    """`movement` of made over real motion, per value: 1 as lively as real, 0 frozen; NaN where real does not move."""
    above, below = movement(made), movement(real)
    return np.where(below > _TINY, above / np.maximum(below, _TINY), np.nan)


def movement_summary(made: Clips, real: Clips) -> dict[str, Any]:
    """`movement_ratio` averaged by kind and over all, the share of values from 0.8 to 1.1, and per value."""
    ratio = movement_ratio(made, real)
    kinds = {
        "rotation": ratio[:3],
        "translation": ratio[3:6],
        "scale": ratio[6:7],
        "dynamics": ratio[7:],
        "mean": ratio,
    }
    known = {name: part[np.isfinite(part)] for name, part in kinds.items()}
    report: dict[str, Any] = {name: float(part.mean()) if len(part) else np.nan for name, part in known.items()}
    report["within_0.8_to_1.1"] = float(np.mean((ratio >= 0.8) & (ratio <= 1.1)))
    return report | {"per_value": ratio}


def head_difference(a: Float[np.ndarray, "t 3"], b: Float[np.ndarray, "t 3"]) -> dict[str, float]:
    """How two head motions (Euler angles per frame, radians) differ.

    Returns:
      "degrees": mean angle between the heads of a frame; "correlation": of the changes of pitch and yaw, best lag
      within two frames, averaged: 1 for the same motion, near 0.1 for unrelated ones.
    """
    t = min(len(a), len(b))
    a, b = a[:t], b[:t]
    found = [mouth_changes.change_correlation(a[:, axis], b[:, axis]) for axis in (0, 1)]
    known = [value for value in found if np.isfinite(value)]
    return {
        "degrees": float(angles.rotation_error(a, b).mean()),
        "correlation": float(np.mean(known)) if known else float("nan"),
    }


def spectra(clips: Clips, order: int = 1, fps: float = 25.0) -> Float[np.ndarray, "bands m"]:
    """Mean power of the velocity (`order` 1) or acceleration (2) in each of `BANDS`, per value of the motion.

    Each clip is seen through a Hann window. Units: those of the motion per second, or per square second, squared.
    """
    totals, weight = np.zeros((len(BANDS) - 1, np.shape(clips[0])[1])), 0.0
    for clip in clips:
        moved = np.diff(np.asarray(clip, np.float64), n=order, axis=0) * fps**order
        window = np.hanning(len(moved) + 2)[1:-1, None]
        power = np.square(np.abs(np.fft.rfft((moved - moved.mean(0)) * window, axis=0)))
        power[1 : (len(moved) + 1) // 2] *= 2  # the negative frequencies
        at = np.searchsorted(BANDS, np.fft.rfftfreq(len(moved), 1 / fps), side="right") - 1
        for band in range(len(totals)):
            totals[band] += power[np.minimum(at, len(totals) - 1) == band].sum(0) / np.square(window).sum()
        weight += len(moved)
    return totals / weight


def pose_range(clips: Clips) -> dict[str, Float[np.ndarray, " 3"]]:
    """Degrees that pitch, yaw and roll cover (5th to 95th percentile): over all frames, and within clips on average."""

    def covered(rows: np.ndarray) -> np.ndarray:
        return np.degrees(np.subtract(*np.percentile(rows[:, :3], (95, 5), axis=0)))

    return {"all": covered(np.concatenate(clips)), "within_clips": np.mean([covered(clip) for clip in clips], 0)}
