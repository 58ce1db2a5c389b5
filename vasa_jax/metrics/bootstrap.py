"""How sure a mean over clips is: percentile bootstrap (Efron & Tibshirani 1993, chapter 13), seeded."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

Values = Float[np.ndarray, " n"] | Sequence[float | np.floating]
"""One number a clip."""

_COUNT = 2000
_LEVEL = 0.95


def mean_interval(values: Values, seed: int = 0) -> dict[str, float | int | None]:
    """Mean of one value per clip with the 95% interval of its bootstrap; clips whose value is NaN are left out.

    Returns:
      {"mean", "low", "high", "n"}; the numbers are None where no clip has a value, the bounds where only one has.
    """
    values = np.asarray(values, np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return {"mean": None, "low": None, "high": None, "n": 0}
    low = high = None
    if len(values) > 1:
        means = values[_draws(len(values), seed)].mean(1)
        low, high = map(float, np.quantile(means, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]))
    return {"mean": float(values.mean()), "low": low, "high": high, "n": len(values)}


def ratio_interval(above: Values, below: Values, seed: int = 0) -> dict[str, float | int | None]:
    """mean(above) / mean(below) over the same clips, which are drawn together; as `mean_interval`."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    both = np.isfinite(above) & np.isfinite(below)
    above, below = above[both], below[both]
    if not len(above) or abs(below.mean()) < 1e-12:
        return {"mean": None, "low": None, "high": None, "n": len(above)}
    low = high = None
    if len(above) > 1:
        at = _draws(len(above), seed)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = above[at].mean(1) / below[at].mean(1)
        low, high = map(float, np.nanquantile(ratios, [(1 - _LEVEL) / 2, (1 + _LEVEL) / 2]))
    return {"mean": float(above.mean() / below.mean()), "low": low, "high": high, "n": len(above)}


def excess_interval(seen: Values, noise: Values, seed: int = 0) -> dict[str, float | int | None]:
    """Root mean square of a size beyond a noise that adds to it, sqrt(mean(seen^2) - mean(noise^2)), at least 0.

    For the same clips with the noise and with nothing else, drawn together; as `mean_interval`. True of noises that do
    not depend on what they are added to; where they are stronger in `seen` than alone, it comes out too large.
    """
    seen, noise = np.asarray(seen, np.float64), np.asarray(noise, np.float64)
    both = np.isfinite(seen) & np.isfinite(noise)
    beyond = seen[both] ** 2 - noise[both] ** 2
    square = mean_interval(beyond, seed)
    return {k: v if k == "n" or v is None else float(np.sqrt(max(v, 0.0))) for k, v in square.items()}


def _draws(n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(n, size=(_COUNT, n))
