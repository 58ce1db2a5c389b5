"""The TFDS builder end to end, tiny."""

import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.rigged_heads import generate
from data_pipelines.rigged_heads import rigged_heads_dataset_builder as heads
from tests.data_pipelines.rigged_heads import fakes
from vasa_jax.errors import InputError


def test_builds_and_reads_back(tmp_path):
    for seed in range(3):
        fakes.write_npz(tmp_path, f"Made_F_{seed}_Casual", seed)
    amounts = {"clips": 1, "frames": 2}
    builder = heads.Builder(
        data_dir=tmp_path / "data", config="tiny_64", heads=tmp_path, amounts=amounts, file_format="array_record"
    )
    builder.download_and_prepare()
    assert {name: s.num_examples for name, s in builder.info.splits.items()} == {
        "train": 1, "validation": 1, "test": 1}  # fmt: skip
    example = next(iter(builder.as_data_source("train")))
    assert schema.decode_jpeg(example["frames"][0]).shape == (80, 80, 3)
    assert schema.decode_matte(example["mattes"][0]).shape == (80, 80)
    assert np.asarray(example["landmarks"]).shape == (2, 140, 3)


def test_splits_share_no_person(tmp_path):
    for k in range(23):
        for outfit in ("Casual", "Busi"):
            (tmp_path / f"White_M_{k}_{outfit}.glb").touch()
    splits = generate.splits(tmp_path)
    people = [path.stem for paths in splits.values() for path in paths]
    assert len(people) == len(set(people)) == 23
    assert [len(splits[name]) for name in ("train", "validation", "test")] == [19, 2, 2]


def test_too_few_heads_and_amounts_of_nothing_are_refused(tmp_path):
    fakes.write_npz(tmp_path, "Made_F_1_Casual")
    with pytest.raises(InputError, match="3 or more"):
        generate.splits(tmp_path)
    builder = heads.Builder(data_dir=tmp_path / "data", config="tiny_64", amounts={"frames": 0})
    with pytest.raises(InputError, match="at least 1"):
        builder.tasks(tmp_path)


def test_configurations_are_those_of_the_schema():
    assert {c.name: c.resolution for c in heads.Builder.BUILDER_CONFIGS} == schema.RESOLUTIONS
