import numpy as np
import pytest

from data_pipelines import emotions
from data_pipelines.mead import mead
from tests.data_pipelines.files import touch
from vasa_jax.errors import InputError


def test_people_cameras_emotions_and_levels(tmp_path):
    touch(
        tmp_path,
        "M003/video/front/angry/level_1/001.mp4",
        "M003/video/left_30/angry/level_1/001.mp4",
        "M003/video/left_60/angry/level_1/001.mp4",
        "M003/audio/angry/level_1/001.m4a",
        "W011/video/front/surprised/level_3/007.mp4",
        "W011/video/front/neutral/level_1/040.mp4",
        "W011/audio/surprised/level_2/007.m4a",
        "notes/video/front/angry/level_1/001.mp4",
    )
    sources = mead.find_sources(tmp_path)
    assert [(s.name, s.speaker, s.split) for s in sources] == [
        ("M003_front_angry_level_1_001", "M003", "test"),
        ("M003_left_30_angry_level_1_001", "M003", "test"),
        ("W011_front_neutral_level_1_040", "W011", "train"),
        ("W011_front_surprised_level_3_007", "W011", "train"),
    ]
    assert [s.emotion for s in sources] == ["anger", "anger", "neutral", "surprise"]
    np.testing.assert_allclose([s.intensity for s in sources], [1 / 3, 1 / 3, 1, 1])
    audio = tmp_path / "M003/audio/angry/level_1/001.m4a"
    assert [s.audio for s in sources] == [audio, audio, None, None]


def test_some_of_those_who_train_validate(tmp_path):
    people = [f"{kind}{number:03}" for kind in "MW" for number in range(1, 43)]
    touch(tmp_path, *(f"{person}/video/front/angry/level_1/001.mp4" for person in people))
    splits = {s.speaker: s.split for s in mead.find_sources(tmp_path)}
    assert {who for who, split in splits.items() if split == "test"} == mead.TEST_PEOPLE
    assert 2 <= sum(split == "validation" for split in splits.values()) <= 16


def test_all_eight_folders_have_a_name_of_ours(tmp_path):
    published = ("angry", "contempt", "disgusted", "fear", "happy", "neutral", "sad", "surprised")
    touch(tmp_path, *(f"W009/video/front/{name}/level_1/001.mp4" for name in published))
    found = [s.emotion for s in mead.find_sources(tmp_path)]
    assert None not in found and len(set(found)) == 8


def test_one_folder_too_deep(tmp_path):
    touch(tmp_path, "MEAD/M003/video/front/angry/level_1/001.mp4")
    with pytest.raises(InputError, match="no video.*M003/video/front"):
        mead.find_sources(tmp_path)


@pytest.mark.parametrize("label", ["Angry", " HAP ", "sadness", "disgusted"])
def test_labels_sum_to_one(label):
    values = emotions.coefficients(emotions.from_label(label), 0.4)
    assert sorted(values)[-2:] == pytest.approx([0.4, 0.6]) and values.sum() == pytest.approx(1)
    assert emotions.from_label("bored") is None
