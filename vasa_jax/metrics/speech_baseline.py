"""What speech alone says of the mouth by linear regression: the bar for every model that is driven by speech."""

import dataclasses
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from vasa_jax.models.audio import log_mel

BANDS = 40
REACH = 5
"""Frames seen to either side."""


def speech_features(audio: Float[np.ndarray, " n"], reach: int = REACH) -> Float[np.ndarray, "t c"]:
    """Normalised log-mel (40 bands, 100 Hz) of each 25 fps frame and of `reach` frames to either side."""
    power = log_mel.mel_power(np.asarray(audio, np.float32), BANDS)
    steps = np.asarray(log_mel.features(power, log_mel.speech_level(power)))
    frames = len(steps) // log_mel.STEPS_PER_FRAME
    rows = steps[: frames * log_mel.STEPS_PER_FRAME].reshape(frames, -1)
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    return np.concatenate([padded[k : k + frames] for k in range(2 * reach + 1)], -1)


@dataclasses.dataclass(frozen=True)
class RidgeRegression:
    """Linear prediction of one value per frame from features."""

    weights: Float[np.ndarray, " c"]
    feature_mean: Float[np.ndarray, " c"]
    target_mean: float

    def __call__(self, features: Float[np.ndarray, "t c"]) -> Float[np.ndarray, " t"]:
        return (features - self.feature_mean) @ self.weights + self.target_mean


def fit_ridge(
    features: Sequence[Float[np.ndarray, "t c"]], targets: Sequence[Float[np.ndarray, " t"]], penalty: float = 0.1
) -> RidgeRegression:
    """Least squares with `penalty` times the mean feature variance on the weights, over the frames of all clips."""
    rows, values = np.concatenate(features).astype(np.float64), np.concatenate(targets).astype(np.float64)
    feature_mean, target_mean = rows.mean(0), float(values.mean())
    rows -= feature_mean
    gram = rows.T @ rows / len(rows)
    strength = penalty * np.trace(gram) / len(gram) + 1e-12
    weights = np.linalg.solve(gram + strength * np.eye(len(gram)), rows.T @ (values - target_mean) / len(rows))
    return RidgeRegression(weights, feature_mean, target_mean)
