"""suite=wander: whether heads stay about where they started, and move as real ones do; no images are made.

Many seeds speak for a minute, with the pull of `vasa_jax.inference.poise` and without. Real clips are short, so what
is made is cut into pieces of their length, and its pieces' medians are set beside the real clips' percentiles.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.evaluation import tables
from vasa_jax.metrics import motion_statistics, mouth_changes

AWAY = 15.0
"""Degrees of pitch, yaw or roll from the start."""
PERCENTILES = (5, 50, 95)
AXES = ("pitch", "yaw", "roll")


def statistics(clips: Sequence[Float[np.ndarray, "t 3"]], fps: float = 25.0) -> dict[str, Any]:
    """Percentiles over clips of one length, for pitch, yaw and roll in degrees: range, mean speed, power by band."""
    rows = np.stack(list(clips))
    power = np.stack([motion_statistics.spectra([clip]) for clip in rows])
    values = {"range": np.ptp(rows, 1), "speed": np.abs(np.diff(rows, axis=1)).mean(1) * fps}
    bands = motion_statistics.BANDS
    values |= {f"power {a:g}-{b:g} Hz": power[:, k] for k, (a, b) in enumerate(zip(bands, bands[1:], strict=False))}
    return {name: dict(zip(map(str, PERCENTILES), np.percentile(v, PERCENTILES, axis=0))) for name, v in values.items()}


def pieces(motion: Float[np.ndarray, "t 3"], length: int) -> Float[np.ndarray, "n l 3"]:
    """Whole pieces one after another."""
    count = len(motion) // length
    return motion[: count * length].reshape(count, length, 3)


def stray(heads: Float[np.ndarray, "n t 3"], start: Float[np.ndarray, " 3"]) -> dict[str, Any]:
    """Of `n` heads in degrees: the share of frames beyond AWAY from the start, and how far they go."""
    away = np.abs(heads - start)
    beyond = (away > AWAY).any(-1)
    return {
        "beyond": float(beyond.mean()),
        "beyond_of_the_worst_seed": float(beyond.mean(1).max()),
        "furthest": away.max((0, 1)),
        "spread": heads.std((0, 1)),
        "mean_of_last_tenth": np.abs(away[:, -heads.shape[1] // 10 :].mean(1)).max(0),
    }


def run(
    generator: Any,
    mouth: Any,
    audio: Float[np.ndarray, " n"],
    seeds: Iterable[int],
    start: Float[np.ndarray, " m"],
    real: Sequence[Float[np.ndarray, "t m"]] = (),
    **how: Any,
) -> dict[str, Any]:
    """The report.

    Args:
      generator: `MotionGenerator`.
      mouth: reads the mouth's opening off motion [t, m].
      audio: what all seeds say.
      start: motion before the first frame.
      real: motion of real clips; as many frames count of each as the shortest has.
    """
    frames = len(audio) // 640
    made: dict[str, list[np.ndarray]] = {"free": [], "poised": []}
    for seed in seeds:
        for name, poised in (("free", False), ("poised", True)):
            options = {"seed": seed, "start": start, "poised": poised, **how}
            made[name].append(np.concatenate(list(generator.windows(iter([audio]), frames, **options))))
    length = min((len(clip) for clip in real), default=75)
    report: dict[str, Any] = {"frames": frames, "seeds": len(made["free"]), "piece": length}
    if real:
        report["real"] = {"clips": len(real), **statistics([np.degrees(clip[:length, :3]) for clip in real])}
    for name, motions in made.items():
        heads = np.degrees(np.stack(motions)[..., :3])
        cut = np.concatenate([pieces(head, length) for head in heads])
        report[name] = {**stray(heads, np.degrees(start[:3])), **statistics(cut)}
    pairs = zip(made["free"], made["poised"], strict=True)
    kept = [mouth_changes.correlation(np.diff(mouth(a)), np.diff(mouth(b))) for a, b in pairs]
    report["mouth_changes_kept"] = {"mean": float(np.mean(kept)), "least": float(np.min(kept))}
    if real:
        report["within_real"] = within(report["real"], report["poised"])
    return report


def within(real: dict[str, Any], made: dict[str, Any]) -> dict[str, list[bool]]:
    """For each statistic and axis: whether the made pieces' median lies within the real clips' percentiles."""
    low, middle, high = map(str, PERCENTILES)
    names = [name for name, value in real.items() if isinstance(value, dict)]
    return {
        name: [bool(a <= x <= b) for a, x, b in zip(real[name][low], made[name][middle], real[name][high], strict=True)]
        for name in names
    }


def show(report: dict[str, Any]) -> None:
    """Prints the tables."""
    rows = [name for name in ("real", "free", "poised") if name in report]
    names = [name for name, value in report["poised"].items() if isinstance(value, dict)]
    lines = []
    for row in rows:
        for name in names:
            cells = ["/".join(tables.cell(report[row][name][str(p)][k], 2) for p in PERCENTILES) for k in range(3)]
            lines.append([row, name, *cells])
    tables.show(f"pieces of {report['piece']} frames: percentiles 5/50/95", ["", "degrees", *AXES], lines)
    for row in rows[-2:]:
        far = ", ".join(f"{value:.1f}" for value in report[row]["furthest"])
        print(f"  {row}: {report[row]['beyond']:.1%} of the frames beyond {AWAY:g} degrees, furthest {far}")
