import pytest

from data_pipelines.voxceleb2 import voxceleb2
from tests.data_pipelines.files import touch
from vasa_jax.errors import InputError


def test_parts_of_the_publishers_and_audio_apart(tmp_path):
    touch(
        tmp_path,
        "dev/mp4/id00012/21Uxsk56VDQ/00001.mp4",
        "dev/mp4/id00012/21Uxsk56VDQ/00002.mp4",
        "dev/mp4/id00015/-abc/00001.mp4",
        "dev/aac/id00012/21Uxsk56VDQ/00001.m4a",
        "dev/txt/id00012/21Uxsk56VDQ/00001.txt",
        "test/mp4/id00017/01dfn2spqyE/00001.mp4",
        "test/aac/id00017/01dfn2spqyE/00001.m4a",
    )
    sources = voxceleb2.find_sources(tmp_path)
    assert [(s.name, s.speaker, s.split) for s in sources] == [
        ("id00012_21Uxsk56VDQ_00001", "id00012", "train"),
        ("id00012_21Uxsk56VDQ_00002", "id00012", "train"),
        ("id00015_-abc_00001", "id00015", "train"),
        ("id00017_01dfn2spqyE_00001", "id00017", "test"),
    ]
    sounds = [s.audio and s.audio.relative_to(tmp_path).as_posix() for s in sources]
    assert sounds == [
        "dev/aac/id00012/21Uxsk56VDQ/00001.m4a",
        None,
        None,
        "test/aac/id00017/01dfn2spqyE/00001.m4a",
    ]


def test_a_few_of_the_people_of_dev_validate(tmp_path):
    touch(tmp_path, *(f"dev/mp4/id{number:05}/a/00001.mp4" for number in range(300)))
    splits = [s.split for s in voxceleb2.find_sources(tmp_path)]
    assert 1 <= splits.count("validation") <= 15 and splits.count("train") == 300 - splits.count("validation")


def test_one_part_is_enough(tmp_path):
    touch(tmp_path, "test/mp4/id00017/01dfn2spqyE/00001.mp4")
    assert [s.split for s in voxceleb2.find_sources(tmp_path)] == ["test"]


def test_a_part_unpacked_in_the_wrong_place(tmp_path):
    touch(tmp_path, "mp4/id00017/01dfn2spqyE/00001.mp4")
    with pytest.raises(InputError, match="no video.*dev/mp4/id00012.*into test/"):
        voxceleb2.find_sources(tmp_path)
