"""Twins: one face, several people and poses."""

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.synthetic import twins
from data_pipelines.synthetic.procedural_twins import procedural_twins_dataset_builder as builder

_TASK = (3, (0, 1, 2), 4, 40)


@pytest.fixture(scope="module")
def group():
    return twins.make_group(_TASK)


def test_a_clip_is_one_face_made_by_everybody_in_another_pose(group):
    assert len(group) == 4
    mouths = np.stack([example["mouth"][:, 0] for example in group])
    # People open the same mouth by amounts of their own, but less apart than two moments of one of them.
    assert mouths.std(1).mean() < 0.5 * mouths.std(0).mean()
    for example in group:
        assert np.ptp(example["pose"][:, 1]) > 0.02
        np.testing.assert_array_equal(example["emotion"], np.tile(example["emotion"][:1], (3, 1)))
        np.testing.assert_allclose(example["eyes"], np.tile(example["eyes"][:1], (3, 1)), atol=2e-3)


def test_a_person_keeps_his_scene_and_no_image_comes_twice(group):
    images = np.stack([[schema.decode_jpeg(f) for f in example["frames"]] for example in group]).astype(float)
    corner = images[:, :, :3, :3].mean((2, 3))
    assert corner.std(0).max() < 6  # the background of a person, but for noise
    assert len({bytes(frame) for example in group for frame in example["frames"]}) == 12


def test_it_is_a_pure_function_of_its_task(group):
    again = twins.make_group(_TASK)
    assert [e["frames"] for e in again] == [e["frames"] for e in group]


def test_the_builder_keeps_people_of_splits_apart(tmp_path):
    amounts = {"identities": 36, "clips": 2, "frames": 2}
    made = builder.Builder(data_dir=tmp_path, config="tiny_64", amounts=amounts, file_format="array_record")
    groups = {split: [task[1] for task in made.groups(split)] for split in ("train", "validation", "test")}
    people = [person for split in groups.values() for group in split for person in group]
    assert len(people) == len(set(people)) and {len(group) for split in groups.values() for group in split} == {2}
    assert groups["test"] == [(11, 23)]
