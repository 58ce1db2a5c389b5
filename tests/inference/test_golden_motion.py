"""What the bundled motion model makes of every condition at once, as it did before the conditions became one table."""

import numpy as np
import pytest

from vasa_jax import weights
from vasa_jax.inference.motion import MotionGenerator

EVERY = {"audio": 0.5, "gaze": 1.0, "distance": 0.7, "emotion": 0.8, "previous": 0.3}
VALUES = [0, 1, 3, 6, 7, 20, 38]
CONSTANT = [
    [-0.00075, -0.10136, 0.01215, 0.93375, -1.12878, 0.43886, -0.3216],
    [-0.0011, -0.13998, 0.00329, 1.0291, -1.03555, 0.46303, -0.20412],
    [-0.02593, -0.13894, -0.01317, 0.96366, -1.09633, 0.41556, -0.17492],
    [-0.03863, -0.14305, -0.00962, 0.95756, -1.16502, 0.42169, -0.19749],
]
MOVING = [
    [-0.02531, -0.05688, 0.00966, 0.89049, -0.59531, -0.33923, 1.38719],
    [-0.05386, -0.18493, 0.0159, 0.81402, -0.50193, -0.15716, 1.23534],
    [-0.05518, -0.17366, 0.01504, 0.81084, -0.51576, -0.09126, 1.15649],
    [-0.02826, -0.10104, -0.00366, 0.8134, -0.3585, -0.16298, 1.46963],
]


def _sound(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    loudness = np.repeat(rng.uniform(0, 0.3, frames), 640)
    return (loudness * rng.standard_normal(frames * 640)).astype(np.float32)


@pytest.fixture(scope="module")
def run():
    release = weights.load_release(weights.BUNDLED)
    generator = MotionGenerator(release.motion_config, release.motion_params, release.motion_stats)
    start = np.asarray(release.motion_stats["mean"]) * 0.9

    def made(frames: int, **told: object) -> np.ndarray:
        windows = generator.windows([_sound(frames)], frames, steps=4, guidance=EVERY, start=start, **told)
        return np.concatenate(list(windows))[[0, 30, frames // 2, -1]][:, VALUES]

    return made


def test_constants_and_tracks_give_the_motion_that_they_gave(run) -> None:
    # Written down to five digits; another machine rounds otherwise.
    emotion = np.zeros(8, np.float32)
    emotion[[0, 4]] = 0.2, 0.6
    constant = run(110, gaze=(0.2, -0.1), distance=1.2, emotion=emotion, seed=3)
    np.testing.assert_allclose(constant, CONSTANT, atol=5e-4)
    ramp = np.linspace(-0.3, 0.3, 70)
    tracks = {
        "gaze": np.stack([ramp, -ramp], -1),
        "distance": 3 * ramp,
        "emotion": np.stack([emotion * k for k in ramp]),
    }
    np.testing.assert_allclose(run(70, **tracks), MOVING, atol=5e-4)
