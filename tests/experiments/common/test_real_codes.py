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


def test_a_mouth_opens_as_real_codes_do(tmp_path) -> None:
    _cache(tmp_path / "cache.npz")
    kernel = np.zeros((D, 6))
    kernel[2, 0], kernel[5, 0] = 1, 0.5  # reads the opening off what speech does not move, too
    found = real_codes.opening(tmp_path / "cache.npz", {"kernel": kernel})
    assert found @ kernel[:, 0] == pytest.approx(1.0)
    speech = np.asarray([0, 0.3, 1.0, 0, 0, 0])
    assert found @ speech > 0.99 * np.linalg.norm(found) * np.linalg.norm(speech)


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


WIDE = 16


def _face(seed: int = 0) -> dict:
    """A face model whose label head reads the first six values of a code, and whose pose adds to the next two."""
    rng = np.random.default_rng(seed)
    warps = {name: {"Dense_0": {"kernel": rng.normal(size=(WIDE, 9)), "bias": np.zeros(9)}} for name in ("in", "out")}
    head, share = np.eye(WIDE, 6), np.eye(WIDE)[6:8] * 0.3
    return {
        "label_head": {"kernel": head, "bias": np.zeros(6)},
        "pose_share": {"Dense_0": {"kernel": share}},
        **{f"warp_{name}": dict(warp, other=np.ones(2)) for name, warp in warps.items()},
    }


def _used_codes(path) -> np.ndarray:
    """Codes whose last five values never change."""
    rng = np.random.default_rng(1)
    code = rng.standard_normal((CLIPS, T, WIDE))
    code[..., -5:] = rng.standard_normal((CLIPS, 1, 5))  # of a person, throughout
    motion = np.concatenate([np.zeros((CLIPS, T, 7)), code], -1)
    np.savez(
        path,
        motion=motion.reshape(-1, 7 + WIDE),
        offsets=np.arange(CLIPS + 1) * T,
        valid=np.ones(CLIPS * T),
        split=np.asarray(["train"] * CLIPS),
    )
    return code.reshape(-1, WIDE)


def test_what_is_led_goes_where_codes_are_empty_and_warps_are_deaf_to_it(tmp_path) -> None:
    code = _used_codes(tmp_path / "cache.npz")
    std, face = np.linspace(0.5, 2.0, WIDE), _face()
    found, deaf = real_codes.led(tmp_path / "cache.npz", face, std)
    rows = np.concatenate([found["gaze"], found["expressions"]])
    assert found["gaze"].shape == (2, WIDE) and found["expressions"].shape == (3, WIDE)
    np.testing.assert_allclose(rows[:, :-5], 0, atol=1e-9)
    lengths = np.linalg.norm(rows / std, axis=-1)
    np.testing.assert_allclose(lengths, [24, 24, 12, 12, 12])
    np.testing.assert_allclose((rows / std) @ (rows / std).T, np.diag(lengths**2), atol=1e-6)
    within = code - code.reshape(CLIPS, T, -1).mean(1).repeat(T, 0)
    for name in ("warp_in", "warp_out"):
        before, after = face[name]["Dense_0"]["kernel"], deaf[name]["Dense_0"]["kernel"]
        assert np.abs(rows @ before).max() > 1
        np.testing.assert_allclose(rows @ after, 0, atol=1e-4)
        np.testing.assert_allclose(within @ after, within @ before, atol=1e-5)
        assert deaf[name]["other"] is face[name]["other"]
    assert deaf["label_head"] is face["label_head"]


def test_codes_without_room_are_told(tmp_path) -> None:
    _used_codes(tmp_path / "cache.npz")
    with pytest.raises(InputError, match="leave 8 directions unused, 9 are needed"):
        real_codes.unused(tmp_path / "cache.npz", _face(), np.ones(WIDE), 9)
