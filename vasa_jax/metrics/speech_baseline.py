"""What speech alone says of the mouth by linear regression: the bar for every model that is driven by speech."""

from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from vasa_jax.metrics import ridge
from vasa_jax.metrics.ridge import RidgeRegression
from vasa_jax.models.audio import log_mel

BANDS = 40
REACH = 5
"""Frames seen to either side."""


def speech_features(audio: Float[np.ndarray, " n"], reach: int = REACH) -> Float[np.ndarray, "t c"]:
    """Normalised log-mel (40 bands, 100 Hz) of each 25 fps frame and of `reach` frames to either side."""
    power = log_mel.mel_power(jnp.asarray(audio, jnp.float32), BANDS)
    steps = np.asarray(log_mel.features(power, log_mel.speech_level(power)))
    frames = len(steps) // log_mel.STEPS_PER_FRAME
    rows = steps[: frames * log_mel.STEPS_PER_FRAME].reshape(frames, -1)
    padded = np.pad(rows, ((reach, reach), (0, 0)))
    return np.concatenate([padded[k : k + frames] for k in range(2 * reach + 1)], -1)


def fit_ridge(
    features: Sequence[Float[np.ndarray, "_ c"]], targets: Sequence[Float[np.ndarray, "_"]], penalty: float = 0.1
) -> RidgeRegression:
    """`ridge.fit` over the frames of all clips."""
    return ridge.fit(np.concatenate(features), np.concatenate(targets), penalty)
