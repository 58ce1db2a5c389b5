import json

import pytest

from data_pipelines.celebv_hq import celebv_hq
from tests.data_pipelines.files import touch, write
from vasa_jax.errors import InputError


def _clip(video, start, end, emotion):
    return {
        "ytb_id": video,
        "duration": {"start_sec": start, "end_sec": end},
        "bbox": {"top": 0.0, "bottom": 0.8815, "left": 0.1964, "right": 0.6922},
        "attributes": {"appearance": [0, 0, 1], "action": [0, 1, 0], "emotion": emotion},
        "version": "v0.1",
    }


PARTS = [{"emotion": "neutral", "start_sec": 0, "end_sec": 0.28}, {"emotion": "happy", "start_sec": 1.28, "end_sec": 3}]
CLIPS = {
    "M2Ohb0FAaJU_1": _clip("M2Ohb0FAaJU", 81.62, 86.17, {"sep_flag": False, "labels": "neutral"}),
    "M2Ohb0FAaJU_0": _clip("M2Ohb0FAaJU", 1.0, 4.5, {"sep_flag": False, "labels": "happy"}),
    "_0tf2n3rlJU_0": _clip("_0tf2n3rlJU", 52.72, 56.1, {"sep_flag": True, "labels": PARTS}),
    "gone1234567_0": _clip("gone1234567", 0.0, 3.0, {"sep_flag": False, "labels": "sad"}),
}


def _list(root, clips=CLIPS):
    meta = {"appearance_mapping": ["Blurry", "Male", "Young"], "action_mapping": ["blow", "chew", "close_eyes"]}
    write(root, {"celebvhq_info.json": json.dumps({"meta_info": meta, "clips": clips})})


def test_clips_of_the_list_that_are_there(tmp_path, caplog):
    _list(tmp_path)
    touch(tmp_path, "downloaded_celebvhq/raw/M2Ohb0FAaJU.mp4", "downloaded_celebvhq/processed/_0tf2n3rlJU_0.mp4")
    whole, also, cut = celebv_hq.find_sources(tmp_path)
    assert (whole.name, whole.start, whole.end, whole.emotion) == ("M2Ohb0FAaJU_0", 1.0, 4.5, "happiness")
    assert whole.path == also.path and whole.speaker == also.speaker == "M2Ohb0FAaJU" and whole.split == also.split
    assert whole.box == (0.1964, 0.0, 0.6922, 0.8815)
    assert cut.path.stem == cut.name == "_0tf2n3rlJU_0"
    assert (cut.start, cut.end, cut.box, cut.emotion) == (0.0, None, None, None)
    assert "1 of 4 clips are not here" in caplog.text


def test_folders_without_the_one_above(tmp_path):
    _list(tmp_path)
    touch(tmp_path, "raw/gone1234567.mp4")
    assert [(s.name, s.emotion) for s in celebv_hq.find_sources(tmp_path)] == [("gone1234567_0", "sadness")]


def test_what_is_wrong_is_said(tmp_path):
    touch(tmp_path, "raw/M2Ohb0FAaJU.mp4")
    with pytest.raises(InputError, match=r"no celebvhq_info.json.*github.com/CelebV-HQ"):
        celebv_hq.find_sources(tmp_path)
    write(tmp_path, {"celebvhq_info.json": "{"})
    with pytest.raises(InputError, match="not the list"):
        celebv_hq.find_sources(tmp_path)
    _list(tmp_path, {"a_0": {"ytb_id": "M2Ohb0FAaJU"}})
    with pytest.raises(InputError, match="clip a_0"):
        celebv_hq.find_sources(tmp_path)
