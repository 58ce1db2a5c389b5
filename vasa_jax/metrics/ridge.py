"""Linear least squares with a penalty on the weights: for baselines, probes, and a reader that needs no network."""

import dataclasses

import numpy as np
from jaxtyping import Float


@dataclasses.dataclass(frozen=True)
class RidgeRegression:
    """Linear prediction of one value, or of k, from features."""

    weights: Float[np.ndarray, "c *k"]
    feature_mean: Float[np.ndarray, " c"]
    target_mean: Float[np.ndarray, "*k"] | float

    def __call__(self, features: Float[np.ndarray, "n c"]) -> Float[np.ndarray, "n *k"]:
        return (features - self.feature_mean) @ self.weights + self.target_mean


def fit(
    features: Float[np.ndarray, "n c"], targets: Float[np.ndarray, "n *k"], penalty: float = 0.1
) -> RidgeRegression:
    """Least squares with `penalty` times the mean feature variance on the squared weights.

    With more features than rows the dual is solved (Saunders et al. 1998): the same weights, a smaller matrix.
    """
    rows, values = np.asarray(features, np.float64), np.asarray(targets, np.float64)
    feature_mean, target_mean = rows.mean(0), values.mean(0)
    rows, values = rows - feature_mean, values - target_mean
    n, c = rows.shape
    strength = penalty * np.square(rows).sum() / (n * c) + 1e-12
    if c <= n:
        weights = np.linalg.solve(rows.T @ rows / n + strength * np.eye(c), rows.T @ values / n)
    else:
        weights = rows.T @ np.linalg.solve(rows @ rows.T / n + strength * np.eye(n), values) / n
    return RidgeRegression(weights, feature_mean, target_mean)
