"""Releases come back as they were saved, to float16, and damage is told."""

import json

import numpy as np
import pytest

from vasa_jax import weights
from vasa_jax.errors import InputError
from vasa_jax.training import start

rng = np.random.default_rng(0)
FACE = {"encoder": {"conv": {"kernel": rng.normal(size=(3, 3, 4)).astype(np.float32)}}, "scale": np.ones(2, np.float32)}
MOTION = {"out": {"bias": rng.normal(size=5).astype(np.float32)}}
STATS = {"mean": np.arange(3.0), "std": np.ones(3)}


def _save(directory, **changes):
    arguments = dict(face_config={"size": 64}, face_params=FACE, motion_config={"width": 8}, motion_params=MOTION)
    return weights.save_release(directory, **(arguments | dict(motion_stats=STATS, info={"note": 1}) | changes))


@pytest.mark.parametrize("stored", ["float32", "float16"])
def test_round_trip(tmp_path, stored):
    release = weights.load_release(_save(tmp_path, stored=stored))
    kernel = release.face_params["encoder"]["conv"]["kernel"]
    assert kernel.dtype == np.float32
    # float16 keeps 11 bits: half a unit in the last place is 2^-11 of the value.
    np.testing.assert_allclose(kernel, FACE["encoder"]["conv"]["kernel"], rtol=2**-11 if stored == "float16" else 0)
    assert release.motion_config == {"width": 8} and release.info["note"] == 1
    np.testing.assert_array_equal(release.motion_stats["mean"], STATS["mean"])


def test_int8_keeps_each_output_to_half_a_step_of_its_own(tmp_path):
    """A kernel whose outputs differ a thousandfold; vectors and small arrays are left to float16."""
    kernel = rng.normal(size=(3, 3, 32, 16)).astype(np.float32) * np.logspace(-2, 1, 16, dtype=np.float32)
    face = {"conv": {"kernel": kernel, "bias": kernel[0, 0, 0]}, "dead": np.zeros((64, 32), np.float32)}
    directory = _save(tmp_path, stored="int8", face_params=face)
    found = weights.load_release(directory).face_params
    step = np.abs(kernel).max((0, 1, 2)) / 127
    gap = np.abs(found["conv"]["kernel"] - kernel)
    assert np.all(gap <= 0.502 * step) and gap.max() > 0
    np.testing.assert_allclose(found["conv"]["bias"], kernel[0, 0, 0], rtol=2**-11)
    np.testing.assert_array_equal(found["dead"], face["dead"])
    assert (directory / "face.safetensors").stat().st_size < 1.25 * (kernel.size + face["dead"].size) + 1000


@pytest.mark.parametrize("stored", weights.STORED)
def test_an_update_stores_what_differs_and_reads_as_the_whole(tmp_path, stored):
    kernels = {name: rng.normal(size=(40, 32)).astype(np.float32) for name in ("kept", "changed", "other")}
    old = {
        "encoder": {"kernel": kernels["kept"]},
        "generator": {"kernel": kernels["changed"], "bias": np.ones(3, np.float32)},
    }
    new = old | {"generator": {"kernel": kernels["other"], "bias": np.ones(3, np.float32)}}
    _save(tmp_path / "updated", stored=stored, face_params=old)
    weights.update_face(tmp_path / "updated", new, stored=stored)
    updated = weights.load_release(tmp_path / "updated").face_params
    whole = weights.load_release(_save(tmp_path / "whole", stored=stored, face_params=new)).face_params
    assert updated.keys() == whole.keys()
    for part in ("encoder", "generator"):
        for name, value in whole[part].items():
            np.testing.assert_array_equal(updated[part][name], value)
    sizes = {path.name: path.stat().st_size for path in (tmp_path / "updated").glob("face*")}
    assert sizes["face_update.safetensors"] < 0.7 * sizes["face.safetensors"]
    weights.update_face(tmp_path / "updated", updated, stored=stored)  # as another release's parameters come
    again = (tmp_path / "updated" / "face_update.safetensors").stat().st_size
    assert again == sizes["face_update.safetensors"]
    _save(tmp_path / "updated", stored=stored, face_params=old)  # a release that is saved anew has no update
    again = weights.load_release(tmp_path / "updated").face_params
    np.testing.assert_allclose(again["generator"]["kernel"], kernels["changed"], atol=0.02)


def test_a_release_without_motion(tmp_path):
    _save(tmp_path)
    release = weights.load_release(_save(tmp_path, motion_config=None, motion_params=None, motion_stats=None))
    assert release.motion_params is None and release.motion_stats is None


def test_a_release_with_a_pose_encoder_to_start_from(tmp_path):
    pose = {"pose_encoder": {"bias": np.arange(4, dtype=np.float32)}}
    release = weights.load_release(_save(tmp_path, pose_config={"size": 128}, pose_params=pose))
    assert release.pose_config == {"size": 128} and "pose" not in release.info
    found = start.read_start(str(tmp_path / "pose.safetensors"), "face", ("model", "discriminator"))
    np.testing.assert_array_equal(found["model"]["pose_encoder"]["bias"], pose["pose_encoder"]["bias"])
    without = weights.load_release(_save(tmp_path))
    assert without.pose_params is None and not (tmp_path / "pose.safetensors").exists()


def test_damage_is_told(tmp_path):
    with pytest.raises(InputError, match="no release"):
        weights.load_release(tmp_path)
    _save(tmp_path)
    path = tmp_path / "face.safetensors"
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged"):
        weights.load_release(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        weights.load_release(tmp_path)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(InputError, match="manifest.json"):
        weights.load_release(tmp_path)


def test_float16_refuses_what_it_cannot_hold(tmp_path):
    with pytest.raises(InputError, match="float16"):
        _save(tmp_path, face_params={"big": np.full(2, 1e6, np.float32)})
    assert not list(tmp_path.glob("*.safetensors")) and not list(tmp_path.glob(".*"))


def test_manifest_covers_the_model_card(tmp_path):
    _save(tmp_path, model_card="# Card\n")
    assert set(json.loads((tmp_path / "manifest.json").read_text())["files"]) == {
        "config.json", "face.safetensors", "motion.safetensors", "MODEL_CARD.md"
    }  # fmt: skip


def test_the_bundled_release_is_whole() -> None:
    """Every file is that of its manifest: a changed model card is reason enough not to load."""
    release = weights.load_release()
    assert release.motion_params is not None and release.pose_params is not None
    listed = set(json.loads((release.directory / "manifest.json").read_text())["files"])
    assert listed == {path.name for path in release.directory.iterdir()} - {"manifest.json"}
