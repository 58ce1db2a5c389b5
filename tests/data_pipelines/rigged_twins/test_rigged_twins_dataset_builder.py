"""Who is whose twin."""

from data_pipelines.rigged_twins import rigged_twins_dataset_builder as twins


def test_groups_are_of_one_split_each(tmp_path):
    for k in range(23):
        (tmp_path / f"White_M_{k:02d}_Casual.glb").touch()
    builder = twins.Builder(data_dir=tmp_path / "data", config="tiny_64", amounts={"clips": 2, "frames": 6})
    groups = builder.tasks(tmp_path)
    people = [path.stem for split in groups.values() for group in split for path in group.paths]
    assert len(people) == len(set(people)) == 22  # one of 19 is left over
    assert [len(g.paths) for g in groups["train"]] == [6, 6, 6] and len(groups["test"][0].paths) == 2
    assert len({g.seed for split in groups.values() for g in split}) == 5
