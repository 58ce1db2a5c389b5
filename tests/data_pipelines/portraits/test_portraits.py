import pytest

from data_pipelines import datasets
from data_pipelines.portraits import portraits
from tests.data_pipelines.files import touch, write
from vasa_jax.errors import InputError, UsageError

find = portraits.find_sources


def people(sources) -> dict[str, list[str]]:
    return {s.name: [path.name for path in (s.path, *s.further)] for s in sources}


def test_a_person_is_the_name_without_the_expression(tmp_path):
    touch(
        tmp_path, "london/SOURCES.md", "london/001_03_neutral.jpg", "london/001_08_smiling.jpg", "london/2_neutral.JPG"
    )
    touch(
        tmp_path, "mine/SOURCES.md", "mine/anna.png", "mine/old/bob_smiling_much.jpg", "mine/film.mp4", "mine/._x.jpg"
    )
    sources = find(tmp_path)
    assert people(sources) == {
        "london_001": ["001_03_neutral.jpg", "001_08_smiling.jpg"],
        "london_2": ["2_neutral.JPG"],
        "mine_anna": ["anna.png"],
        "mine_old_bob_smiling_much": ["bob_smiling_much.jpg"],
    }
    assert all(s.speaker == s.name for s in sources)


def test_an_index_says_who_is_who(tmp_path):
    touch(tmp_path, "SOURCES.md", "1.jpg", "2.jpg", "3.jpg")
    write(tmp_path, {"index.csv": "file,person\n1.jpg,anna\n3.jpg,anna\n2.jpg,\n"})
    assert list(people(find(tmp_path)).values()) == [["2.jpg"], ["1.jpg", "3.jpg"]]
    write(tmp_path, {"index.csv": "name,person\n1.jpg,anna\n"})
    with pytest.raises(InputError, match="index.csv: no column named file"):
        find(tmp_path)


def test_every_set_is_a_switch(tmp_path):
    touch(tmp_path, "a/SOURCES.md", "a/1.jpg", "b/SOURCES.md", "b/1.jpg", "valid3d/SOURCES.md", "valid3d/skin.webp")
    assert set(people(find(tmp_path))) == {"a_1", "b_1"}
    assert set(people(datasets.find_sources("portraits_b", tmp_path))) == {"b_1"}
    assert set(people(datasets.find_sources("portraits_b", tmp_path / "b"))) == {"b_1"}
    assert datasets.get("portraits_b").name == "portraits_b"
    with pytest.raises(InputError, match="no set c of photographs"):
        datasets.find_sources("portraits_c", tmp_path)
    with pytest.raises(UsageError, match="rename"):
        datasets.get("portraits_My Set")


def test_photographs_without_a_licence_are_refused(tmp_path):
    touch(tmp_path, "a/SOURCES.md", "a/1.jpg", "b/1.jpg")
    with pytest.raises(InputError, match="photographs without SOURCES.md; write into that file"):
        find(tmp_path)


def test_the_held_out_people_are_all_test_and_of_every_set(tmp_path):
    listed = portraits.held_out()
    assert len(listed) == len(set(listed)) == 24 and {entry.set for entry in listed} == set(portraits.SETS)
    assert {entry.age for entry in listed} == {"child", "adult", "old"}
    assert {entry.skin for entry in listed} == {"light", "medium", "dark", "none"}
    touch(tmp_path, *(f"{name}/SOURCES.md" for name in portraits.SETS), *(f"{e.set}/{e.file}" for e in listed))
    touch(tmp_path, "london_set/099_08_smiling.jpg", *(f"us_congress/X{k:06}.jpg" for k in range(300)))
    splits = {s.name: s.split for s in find(tmp_path)}
    assert sum(split == "test" for split in splits.values()) == 24
    assert splits["london_set_099"] == "test"  # the smile of a person who is held out is held out, too
    assert 1 <= sum(split == "validation" for split in splits.values()) <= 25
