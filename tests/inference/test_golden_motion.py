"""What the bundled motion model makes of every condition at once, as it did before.

Written down before the conditions became one table, and again when lips began to start from no noise and a tenth was
taken off pitch and yaw: without those two the first numbers come out to 6e-6.
"""

import numpy as np
import pytest

from vasa_jax import weights
from vasa_jax.inference.motion import MotionGenerator

EVERY = {"audio": 0.5, "gaze": 1.0, "distance": 0.7, "emotion": 0.8, "previous": 0.3}
VALUES = [0, 1, 3, 6, 7, 20, 38]
CONSTANT = [
    [-0.00024, -0.09728, 0.0121, 0.93305, -1.13736, 0.44584, -0.3379],
    [0.00022, -0.13714, 0.00279, 1.02763, -1.01131, 0.45585, -0.17159],
    [-0.01963, -0.1303, -0.01358, 0.96363, -1.11239, 0.42813, -0.22396],
    [-0.03423, -0.13804, -0.00942, 0.95557, -1.12464, 0.40008, -0.12267],
]
MOVING = [
    [-0.0247, -0.05438, 0.0103, 0.89276, -0.65912, -0.30316, 1.24328],
    [-0.06845, -0.15154, 0.01504, 0.82385, -0.52971, -0.14113, 1.04782],
    [-0.06848, -0.14264, 0.01395, 0.82164, -0.55627, -0.08075, 0.96147],
    [-0.03638, -0.08748, -0.00354, 0.82426, -0.34668, -0.15046, 1.29962],
]


def _audio(frames: int) -> np.ndarray:
    rng = np.random.default_rng(0)
    loudness = np.repeat(rng.uniform(0, 0.3, frames), 640)
    return (loudness * rng.standard_normal(frames * 640)).astype(np.float32)


@pytest.fixture(scope="module")
def run():
    release = weights.load_release(weights.BUNDLED)
    generator = MotionGenerator(release.motion_config, release.motion_params, release.motion_stats)
    start = np.asarray(release.motion_stats["mean"]) * 0.9

    def made(frames: int, **told: object) -> np.ndarray:
        windows = generator.windows([_audio(frames)], frames, steps=4, guidance=EVERY, start=start, **told)
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
