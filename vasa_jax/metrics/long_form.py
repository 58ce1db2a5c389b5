"""Whether motion made window by window stays what it was, and whether the joints show.

Drift: statistics of the last part of a recording against those of the first, each part cut into blocks that are taken
as independent draws. With many values and several statistics some difference is large by chance; the largest one is
judged by shuffling blocks between the parts (Westfall & Young 1993), which needs no assumption about any of them.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from vasa_jax.metrics import bootstrap

BLOCK = 100
"""Frames of a block (4 s): longer than a nod, so that blocks know little of each other."""
PART = 0.1
_SHUFFLES = 2000
_TINY = 1e-9


def block_statistics(motion: Float[np.ndarray, "t m"], block: int = BLOCK) -> dict[str, Float[np.ndarray, "n m"]]:
    """Of every whole block: mean ("level"), standard deviation ("spread") and mean absolute change ("speed")."""
    count = len(motion) // block
    blocks = np.asarray(motion[: count * block], np.float64).reshape(count, block, -1)
    return {
        "level": blocks.mean(1),
        "spread": blocks.std(1),
        "speed": np.abs(np.diff(blocks, axis=1)).mean(1),
    }


def drift(
    motion: Float[np.ndarray, "t m"], part: float = PART, block: int = BLOCK, seed: int = 0
) -> dict[str, float | int]:
    """The last `part` of the motion against the first.

    Returns:
      blocks: in each part; `largest`: the largest of all t values (Welch) in magnitude; `p_value`: how often shuffled
      blocks have a larger one: below 0.05 the motion has drifted; `*_ratio` of spread and speed: last over first, the
      mean over the values; `level_shift`: mean absolute shift of the level in units of the whole motion's standard
      deviation; NaN where the parts have fewer than two blocks each.
    """
    statistics = block_statistics(motion, block)
    joined = np.concatenate(list(statistics.values()), -1)
    count = int(len(joined) * part)
    if count < 2:
        return {"blocks": count, **dict.fromkeys(("largest", "p_value", "level_shift"), float("nan"))}
    both = np.concatenate([joined[:count], joined[-count:]])
    rng = np.random.default_rng(seed)
    found = _largest(both, count)
    shuffled = [_largest(both[rng.permutation(2 * count)], count) for _ in range(_SHUFFLES)]
    first, last = (
        {k: v[where].mean(0) for k, v in statistics.items()} for where in (slice(count), slice(-count, None))
    )
    spread = np.maximum(np.std(motion, 0), _TINY)
    return {
        "blocks": count,
        "largest": found,
        "p_value": float((1 + np.sum(np.asarray(shuffled) >= found)) / (1 + _SHUFFLES)),
        "level_shift": float((np.abs(last["level"] - first["level"]) / spread).mean()),
        "spread_ratio": float((last["spread"] / np.maximum(first["spread"], _TINY)).mean()),
        "speed_ratio": float((last["speed"] / np.maximum(first["speed"], _TINY)).mean()),
    }


def _largest(both: Float[np.ndarray, "n c"], count: int) -> float:
    a, b = both[:count], both[count:]
    error = np.sqrt((a.var(0, ddof=1) + b.var(0, ddof=1)) / count)
    return float((np.abs(a.mean(0) - b.mean(0)) / np.maximum(error, _TINY)).max())


def jumps(
    motion: Float[np.ndarray, "t m"], joints: Sequence[int] | Int[np.ndarray, " n"]
) -> dict[str, dict[str, float | int | None]]:
    """Change and bend at the joints over those elsewhere: 1 where a joint cannot be told from any other frame.

    Args:
      motion: with values of like size, for instance standardised.
      joints: first frames of all windows but the first.

    Returns:
      "change": length of the step into a joint's frame over the mean step elsewhere; "bend": the same of the second
      difference about the joint; each with the mean over the joints and the interval of its bootstrap.
    """
    motion, at = np.asarray(motion, np.float64), np.asarray(joints, int)
    change = np.linalg.norm(np.diff(motion, axis=0), axis=-1)
    bend = np.linalg.norm(np.diff(motion, n=2, axis=0), axis=-1)
    report = {}
    # Step k leads from frame k to k + 1. Bend k is about frame k + 1: two of them hold the step into a joint.
    for name, values, here in (("change", change, at - 1), ("bend", bend, np.concatenate([at - 2, at - 1]))):
        here = here[(here >= 0) & (here < len(values))]
        elsewhere = np.delete(values, here)
        report[name] = bootstrap.mean_interval(values[here] / max(elsewhere.mean(), _TINY))
    return report
