"""Clips of rigged heads: labels tell what was drawn."""

import dataclasses

import cv2
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from data_pipelines import schema
from data_pipelines.rigged_heads import clip, readers, twins
from tests.data_pipelines.rigged_heads import fakes
from vasa_jax import landmarks
from vasa_jax.errors import InputError

_FRAMES, _SIZE = 12, 80


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("heads")
    for seed in range(3):
        fakes.write_npz(root, f"Made_F_{seed}_Casual", seed)
    return root


@pytest.fixture(scope="module")
def made(folder):
    return clip.make_clip(folder / "Made_F_0_Casual.npz", 1, _FRAMES, _SIZE)


def test_a_clip_has_every_field_and_no_image_comes_twice(made):
    labels = {name: made[name] for name in schema.PER_FRAME}
    example = schema.make_example(
        made["clip_id"], made["speaker"], made["frames"], made["audio"], made["mattes"], **labels
    )
    assert made["speaker"] == "Made_F_0" and len(set(example["frames"])) == _FRAMES
    assert (made["mattes"] == 255).mean() > 0.1 and (made["mattes"] == 0).mean() > 0.1


def test_it_is_a_pure_function_of_file_and_seed(folder, made):
    path = folder / "Made_F_0_Casual.npz"
    again = clip.make_clip(path, 1, _FRAMES, _SIZE)
    for name in ("frames", "landmarks", "audio", "lids"):
        np.testing.assert_array_equal(made[name], again[name])
    assert not np.array_equal(made["frames"], clip.make_clip(path, 2, _FRAMES, _SIZE)["frames"])


def test_the_median_pose_stands_in_the_middle_of_the_crop(made):
    pose = np.median(made["pose"], axis=0)
    np.testing.assert_allclose(pose[3:6], 0, atol=1e-3)
    assert 0.8 < pose[6] < 1.25


def test_the_pose_is_the_turn_that_was_given(made):
    np.testing.assert_allclose(made["pose"][:, :3], made["rotation"], atol=0.12)  # less what perspective does to a fit
    np.testing.assert_allclose(made["distance"], np.log(made["pose"][:, 6]), atol=1e-6)


def test_gaze_is_that_of_the_eyes_in_the_turned_head(made):
    turn = Rotation.from_euler("xyz", made["rotation"]).as_matrix()
    expected = np.einsum("tij,tj->ti", turn, schema.gaze_direction(made["eyes"]))
    np.testing.assert_allclose(schema.gaze_direction(made["gaze"]), expected, atol=1e-5)


def test_landmarks_lie_on_the_person(made):
    at = np.clip(((made["landmarks"][..., :2] / schema.MARGIN + 1) * _SIZE / 2).astype(int), 0, _SIZE - 1)
    inner = landmarks.SLICES["nose"]
    covered = [matte[xy[inner, 1], xy[inner, 0]] for matte, xy in zip(made["mattes"], at, strict=True)]
    assert np.mean(covered) > 250


def test_labels_move_with_the_targets(folder):
    person = clip.figure(folder / "Made_F_0_Casual.npz")
    take = twins.faces(3, 12)
    still = {name: np.zeros(12) for name in take.weights}
    ramp = np.linspace(0, 1, 12)
    for name, label, column in (("MouthOpen", "mouth", 0), ("ReyeClose", "lids", 0), ("LeyeClose", "lids", 1)):
        one = dataclasses.replace(take, weights=still | {name: ramp}, rotation=np.zeros((12, 3)))
        drawn = clip.draw(person, one, list(range(12)), 40, np.random.default_rng(0))
        assert (np.diff(drawn[label][:, column]) > 0).all(), name


def test_twins_share_the_face_but_neither_head_nor_turn(folder):
    paths = tuple(sorted(folder.glob("*.npz")))
    group = twins.make_group(twins.Group(paths, 5, 6, 40))
    assert len(group) == 6 and all(len(example["frames"]) == 3 for example in group)
    mouths = np.stack([example["mouth"][:, 0] for example in group])
    assert mouths.std(1).mean() < 0.5 * mouths.std(0).mean()
    for example in group:
        np.testing.assert_array_equal(example["eyes"], np.tile(example["eyes"][:1], (3, 1)))
        np.testing.assert_array_equal(example["emotion"], np.tile(example["emotion"][:1], (3, 1)))
        np.testing.assert_allclose(example["lids"], np.tile(example["lids"][:1], (3, 1)), atol=0.06)
    assert np.mean([np.ptp(example["pose"][:, :3], axis=0).max() for example in group]) > 0.05
    assert [e["frames"] for e in twins.make_group(twins.Group(paths, 5, 6, 40))] == [e["frames"] for e in group]


def test_photographs_stand_behind_half_of_the_clips(folder, tmp_path):
    cv2.imwrite(str(tmp_path / "red.png"), np.full((40, 60, 3), (0, 0, 255), np.uint8))
    path, red = folder / "Made_F_1_Casual.npz", 0
    for seed in range(10):
        made = clip.make_clip(path, seed, 1, 40, readers.find_photographs(tmp_path))
        behind = made["frames"][made["mattes"] == 0].astype(float)
        red += (behind[:, 0] > 4 * behind[:, 1]).mean() > 0.9
    assert 2 <= red <= 8
    (tmp_path / "red.png").write_bytes(b"")
    with pytest.raises(InputError, match=r"red\.png"):
        clip.photograph(tmp_path / "red.png", 0, 40)
