"""How codes go as lids close and lips move, from a latents cache whose truth is known."""

import numpy as np
import pytest

from experiments.common import real_codes
from vasa_jax.errors import InputError

D, CLIPS, T = 6, 30, 60


def _cache(path, seed: int = 0) -> np.ndarray:
    """Codes that blink along one course, speak along another, and differ by person."""
    rng = np.random.default_rng(seed)
    course, speech = np.asarray([1.0, 0.5, 0, 0, 0, 0]), np.asarray([0, 0.3, 1.0, 0, 0, 0])
    lids, mouth = (rng.random((CLIPS, T, 1)) < 0.2, rng.standard_normal((CLIPS, T, 1)))
    code = lids * course + mouth * speech + 3 * rng.standard_normal((CLIPS, 1, D))
    motion = np.concatenate([np.zeros((CLIPS, T, 7)), code + 0.01 * rng.standard_normal(code.shape)], -1)
    split = np.asarray(["train"] * (CLIPS - 5) + ["test"] * 5)
    motion[-5:] *= 50  # not to be looked at
    np.savez(
        path, motion=motion.reshape(-1, 7 + D), offsets=np.arange(CLIPS + 1) * T, valid=np.ones(CLIPS * T), split=split
    )
    return course


def test_the_course_is_found(tmp_path) -> None:
    course = _cache(tmp_path / "cache.npz")
    kernel = np.zeros((D, 6))
    kernel[:, 0] = [-0.3, 0, 1, 0, 0, 0.5]  # the mouth's opening
    kernel[:, 1] = [0, 0, 0, 1, 0, 0]
    kernel[:, 2] = kernel[:, 3] = [1, 0, 0, 0, 0.7, 0]  # reads the lids off what hardly moves, too
    found = real_codes.blink(tmp_path / "cache.npz", {"kernel": kernel})
    np.testing.assert_allclose((found @ kernel)[:4], [0, 0, 1, 1], atol=0.02)
    near = np.linalg.norm(found - course)
    smallest = np.linalg.lstsq(kernel.T, [0, 0, 1, 1, 0, 0], rcond=None)[0]
    assert near < 0.5 and near < np.linalg.norm(smallest - course)


def test_lips_are_what_varies_with_them_not_what_reads_them(tmp_path) -> None:
    _cache(tmp_path / "cache.npz")
    kernel, std = np.zeros((D, 6)), np.asarray([1.0, 2, 1, 1, 1, 1])
    kernel[2, 0] = kernel[3, 1] = 1  # opening and rounding
    found = real_codes.lips(tmp_path / "cache.npz", {"kernel": kernel}, std)
    np.testing.assert_allclose(found @ found.T, np.eye(2), atol=1e-6)
    speech = np.asarray([0, 0.3, 1.0, 0, 0, 0]) / std
    assert np.abs(found[0] @ speech) > 0.999 * np.linalg.norm(speech)


def test_what_cannot_be_used(tmp_path) -> None:
    head = {"kernel": np.eye(6)}
    with pytest.raises(InputError, match="no latents cache"):
        real_codes.blink(tmp_path / "none.npz", head)
    np.savez(tmp_path / "few.npz", motion=np.zeros((9, 13)), offsets=[0, 9], valid=np.ones(9), split=["train"])
    with pytest.raises(InputError, match="too few"):
        real_codes.blink(tmp_path / "few.npz", head)
