"""What the pose tells of a code is found, and taken out without changing an image."""

import numpy as np
import pytest

from experiments.common import pose_share
from vasa_jax.errors import InputError
from vasa_jax.models.dynamics_encoder import pose_terms


def _cache(path, frames=4000, coupling=0.8):
    """Latents whose code is a face's own part, in step with the pose by `coupling`, plus a share of the pose."""
    rng = np.random.default_rng(0)
    mouth, lids = rng.normal(size=(frames, 2)), rng.normal(size=(frames, 2))
    pose = np.concatenate([0.2 * rng.normal(size=(frames, 6)), np.ones((frames, 1))], -1)
    pose[:, 0] += 0.1 * coupling * mouth[:, 0]
    kernel = rng.normal(size=(9, 5))
    code = mouth @ rng.normal(size=(2, 5)) + lids @ rng.normal(size=(2, 5)) + np.asarray(pose_terms(pose)) @ kernel
    np.savez(
        path, motion=np.concatenate([pose, code], -1).astype(np.float32), mouth=mouth, lids=lids,
        valid=np.ones(frames, bool), split=np.asarray(["train", "test"]), offsets=np.asarray([0, frames - 100, frames]),
    )  # fmt: skip
    return kernel


def test_the_share_is_found_although_mouths_nod(tmp_path):
    kernel = _cache(tmp_path / "latents.npz")
    found = pose_share.fit(tmp_path / "latents.npz")
    np.testing.assert_allclose(found.kernel, kernel, atol=0.02)
    assert found.frames == 3900 and 0 < found.explained < 1


def test_a_second_fit_adds_to_the_first(tmp_path):
    found = pose_share.Fit(np.ones((9, 5), np.float32), 0.1, 1)
    config, params = pose_share.into({"size": 8}, {"head": {}}, found)
    assert config == {"size": 8, "pose_share": True} and set(params) == {"head", "pose_share"}
    _, again = pose_share.into(config, params, found)
    np.testing.assert_array_equal(again["pose_share"]["Dense_0"]["kernel"], 2.0)


def test_what_is_no_cache_or_too_small_is_said(tmp_path):
    with pytest.raises(InputError, match="no latents cache"):
        pose_share.fit(tmp_path / "absent.npz")
    _cache(tmp_path / "few.npz", frames=500)
    with pytest.raises(InputError, match="too few"):
        pose_share.fit(tmp_path / "few.npz")
