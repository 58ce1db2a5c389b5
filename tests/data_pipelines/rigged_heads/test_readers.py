"""Converted and published files of heads."""

import numpy as np
import pytest

from data_pipelines.rigged_heads import readers, rig
from tests.data_pipelines.rigged_heads import fakes
from vasa_jax import landmarks
from vasa_jax.errors import InputError


def test_a_published_head_and_a_converted_one_are_the_same_head(tmp_path):
    fakes.write_npz(tmp_path, "Made_F_1_Casual")
    fakes.write_glb(tmp_path / "Made_F_2_Casual.glb")
    one, two = (rig.Rig(readers.read(path)) for path in readers.find(tmp_path).values())
    assert one.targets == two.targets
    np.testing.assert_allclose(one.rest, two.rest, atol=1e-4)
    weights = {"MouthOpen": 0.7, "LeyeClose": 1.0}
    np.testing.assert_allclose(one.pose(weights).landmarks, two.pose(weights).landmarks, atol=1e-3)
    assert landmarks.mouth(two.pose(weights).landmarks)[0] > landmarks.mouth(two.pose({}).landmarks)[0]
    np.testing.assert_array_equal(next(iter(one.textures.values())), next(iter(two.textures.values())))


def test_a_person_counts_once_whatever_the_outfit(tmp_path):
    for name in ("Asian_M_2_Busi", "Asian_M_2_Casual", "White_F_1_Milit", "X_White_F_1_Casual"):
        (tmp_path / f"{name}.glb").touch()
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "White_F_1_Casual.npz").touch()
    found = readers.find(tmp_path)
    assert list(found) == ["Asian_M_2", "White_F_1", "X_White_F_1"]
    assert [path.name for path in found.values()] == [
        "Asian_M_2_Casual.glb", "White_F_1_Casual.npz", "X_White_F_1_Casual.glb"]  # fmt: skip


@pytest.mark.parametrize("suffix", [".npz", ".glb"])
def test_a_file_that_breaks_off_is_named(tmp_path, suffix):
    fakes.write_npz(tmp_path, "Made_F_1_Casual")
    fakes.write_glb(tmp_path / "Made_F_1_Casual.glb")
    path = tmp_path / f"Made_F_1_Casual{suffix}"
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(InputError, match=path.name):
        readers.read(path)


def test_a_missing_texture_is_named(tmp_path):
    fakes.write_npz(tmp_path, "Made_F_1_Casual")
    (tmp_path / "Made_F_1_Casual_tex1.webp").unlink()
    with pytest.raises(InputError, match="tex1"):
        readers.read(tmp_path / "Made_F_1_Casual.npz")


def test_a_compressed_mesh_is_refused_by_the_name_of_its_extension(tmp_path):
    fakes.write_glb(tmp_path / "a.glb", required=("KHR_draco_mesh_compression",))
    with pytest.raises(InputError, match="draco"):
        readers.read(tmp_path / "a.glb")


def test_an_empty_or_missing_folder_says_what_to_fetch(tmp_path):
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(InputError, match="valid-avatars-glb"):
            readers.find(folder)
