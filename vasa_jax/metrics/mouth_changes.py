"""Whether one track follows another: correlation of the changes from frame to frame, best lag within two frames.

Levels flatter on data whose sentences share one outline in time (GRID: the mean track has 0.68), changes do not (0.30).
The best of five lags is above zero by chance too, so a number means something only beside that of unrelated tracks.
"""

import numpy as np
from jaxtyping import Bool, Float

MAX_LAG = 2


def change_correlation(
    made: Float[np.ndarray, " m"],
    real: Float[np.ndarray, " n"],
    valid: Bool[np.ndarray, " _"] | None = None,
    max_lag: int = MAX_LAG,
) -> float:
    """Correlation of np.diff(made) and np.diff(real), the best over lags of up to `max_lag` frames either way.

    Args:
      made, real: the tracks, for instance of `landmarks.mouth(...)[..., 0]`; the longer one is cut.
      valid: frames in which both are known.

    Returns:
      -1..1; 0 where `made` does not move at all (it follows nothing); NaN where `real` does not move or fewer than
      eight changes are known.
    """
    t = min(len(made), len(real))
    known = np.ones(t, bool) if valid is None else np.asarray(valid[:t], bool)
    known = known[1:] & known[:-1]
    made, real = np.diff(np.asarray(made[:t], np.float64)), np.diff(np.asarray(real[:t], np.float64))
    return _best(made, real, known, max_lag)


def level_correlation(
    made: Float[np.ndarray, " m"],
    real: Float[np.ndarray, " n"],
    valid: Bool[np.ndarray, " _"] | None = None,
    max_lag: int = MAX_LAG,
) -> float:
    """The same of the tracks themselves."""
    t = min(len(made), len(real))
    known = np.ones(t, bool) if valid is None else np.asarray(valid[:t], bool)
    return _best(np.asarray(made[:t], np.float64), np.asarray(real[:t], np.float64), known, max_lag)


def correlation(made: Float[np.ndarray, " t"], real: Float[np.ndarray, " t"]) -> float:
    """Of the tracks as they are, without looking for a lag; NaN and 0 as in `change_correlation`."""
    return level_correlation(made, real, max_lag=0)


def change_amplitude(
    made: Float[np.ndarray, " t"], real: Float[np.ndarray, " t"], valid: Bool[np.ndarray, " t"] | None = None
) -> float:
    """How large the changes of `made` are beside those of `real`: ratio of their standard deviations.

    A correlation knows no scale: a mouth that moves a tenth of the way may have 1. Here it has 0.1; noise adds to it.
    """
    t = min(len(made), len(real))
    known = np.ones(t, bool) if valid is None else np.asarray(valid[:t], bool)
    known = known[1:] & known[:-1]
    made, real = np.diff(np.asarray(made[:t], np.float64))[known], np.diff(np.asarray(real[:t], np.float64))[known]
    return float(made.std() / real.std()) if len(real) >= 8 and real.std() > 1e-9 else float("nan")


def _best(a: np.ndarray, b: np.ndarray, known: np.ndarray, max_lag: int) -> float:
    n, found = len(a), []
    for lag in range(-max_lag, max_lag + 1):
        ahead, behind = slice(max(lag, 0), n + min(lag, 0)), slice(max(-lag, 0), n + min(-lag, 0))
        both = known[ahead] & known[behind]
        found.append(_pearson(a[ahead][both], b[behind][both]))
    return float(np.nan) if np.all(np.isnan(found)) else float(np.nanmax(found))


def _pearson(a: np.ndarray, b: np.ndarray) -> float:
    if len(a) < 8:
        return np.nan
    a, b = a - a.mean(), b - b.mean()
    if b.std() < 1e-9:
        return np.nan
    if a.std() < 1e-9:
        return 0.0
    return float((a * b).mean() / (a.std() * b.std()))
