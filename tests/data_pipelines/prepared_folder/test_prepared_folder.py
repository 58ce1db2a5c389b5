import os

import pytest

from data_pipelines.prepared_folder import prepared_folder
from tests.data_pipelines.files import touch, write
from vasa_jax.errors import InputError

find = prepared_folder.find_sources


def test_the_speaker_is_the_folder_or_the_file(tmp_path):
    touch(tmp_path, "alice/monday/1.mp4", "alice/2.MOV", "bob.mkv", "bob.txt", "._bob.mkv", ".hidden/x.mp4")
    assert [(s.name, s.speaker, s.split) for s in find(tmp_path)] == [
        ("alice_2", "alice", "train"),
        ("alice_monday_1", "alice", "train"),
        ("bob", "bob", "train"),
    ]


def test_names_are_unique_and_fit_for_files(tmp_path):
    touch(tmp_path, "a/1.mp4", "a/1.mov", "a_b/c.mp4", "a/b_c.mp4", "Ünal & Co/talk 1.mp4", "Ünal + Co/talk 1.mp4")
    touch(tmp_path, f"a/{'long' * 40}.mp4")
    names = [s.name for s in find(tmp_path)]
    assert len({name.lower() for name in names}) == 7
    assert all(name.isascii() and len(name) < 140 and not set(name) & set(" /&:") for name in names)
    assert names == [s.name for s in find(tmp_path)]


def test_splits_by_speaker_whoever_else_is_there(tmp_path):
    touch(tmp_path, *(f"p{i:02}/{k}.mp4" for i in range(60) for k in range(2)))
    sources = find(tmp_path)
    splits = {s.speaker: s.split for s in sources}
    assert all(splits[s.speaker] == s.split for s in sources)
    assert all(1 <= sum(split == name for split in splits.values()) <= 15 for name in ("test", "validation"))
    touch(tmp_path, *(f"q{i:02}/0.mp4" for i in range(20)))
    assert all(s.split == splits[s.speaker] for s in find(tmp_path) if s.speaker in splits)


def test_few_people_all_train(tmp_path):
    touch(tmp_path, *(f"p{i}/0.mp4" for i in range(9)))
    assert {s.split for s in find(tmp_path)} == {"train"}


def test_splits_the_folder_says(tmp_path):
    touch(tmp_path, "train/alice/1.mp4", "train/bob.mp4", "test/carol/1.mp4")
    assert {s.speaker: s.split for s in find(tmp_path)} == {"alice": "train", "bob": "train", "carol": "test"}
    touch(tmp_path, "test/alice/2.mp4")
    with pytest.raises(InputError, match=r"alice is in train and in test|alice is in test and in train"):
        find(tmp_path)


def test_links_are_followed_but_not_in_circles(tmp_path):
    touch(tmp_path, "store/1.mp4", "videos/alice/2.mp4")
    os.symlink(tmp_path / "store", tmp_path / "videos" / "bob")
    os.symlink(tmp_path / "videos", tmp_path / "videos" / "alice" / "again")
    assert [s.name for s in find(tmp_path / "videos")] == ["alice_2", "bob_1"]


def test_a_list(tmp_path):
    touch(tmp_path, "films/1.mp4", "films/2.mp4", "3.mp4")
    write(tmp_path, {"list.txt": "# mine\nfilms/1.mp4\tanna\ttest\nfilms/2.mp4\tben\n\n3.mp4\n"})
    found = find(tmp_path / "list.txt")
    assert [(s.name, s.speaker, s.split) for s in found] == [
        ("films_1", "anna", "test"),
        ("films_2", "ben", "train"),
        ("3", "3", "train"),
    ]
    write(tmp_path, {"list.txt": "films/9.mp4\n"})
    with pytest.raises(InputError, match="entry 1: films/9.mp4 is no file"):
        find(tmp_path / "list.txt")


def test_nothing_there(tmp_path):
    touch(tmp_path, "readme.txt")
    with pytest.raises(InputError, match="no video"):
        find(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        find(tmp_path / "absent")
