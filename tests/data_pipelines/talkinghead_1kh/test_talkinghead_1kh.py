import numpy as np
import pytest

from data_pipelines.talkinghead_1kh import talkinghead_1kh
from tests.data_pipelines.files import touch, write
from vasa_jax.errors import InputError

CUT = "1lSejjfNHpw_0075_S1_E728_L671_T47_R1471_B847"


def test_heads_of_the_list_that_are_there(tmp_path, caplog, video_writer):
    (tmp_path / "train" / "1min_clips").mkdir(parents=True)
    chunk = tmp_path / "train" / "1min_clips" / "--Y9imYnfBw_0003.mp4"
    video_writer(chunk, np.zeros((3, 72, 128, 3), np.uint8), np.zeros(4000), fps=30)
    heads = "--Y9imYnfBw_0003,720,1280,60,149,320,0,960,360\n--Y9imYnfBw_0004,720,1280,0,10,0,0,640,720\n\n"
    write(tmp_path, {"data_list/train_video_tubes.txt": heads, "data_list/train_video_ids.txt": "--Y9imYnfBw\n"})
    touch(tmp_path, f"val/cropped_clips/{CUT}.mp4", "small/cropped_clips/x_0000_S1_E2_L3_T4_R5_B6.mp4")
    head, cut = talkinghead_1kh.find_sources(tmp_path)
    assert (head.speaker, head.split, head.path) == ("--Y9imYnfBw", "train", chunk)
    assert (head.start, head.end) == pytest.approx((2.0, 5.0))
    assert head.box == (0.25, 0.0, 0.75, 0.5) and not head.name.startswith("-")
    assert (cut.name, cut.speaker, cut.split, cut.box) == (CUT, "1lSejjfNHpw", "validation", None)
    assert "1 of 2 heads of train" in caplog.text


def test_a_chunk_that_cannot_be_read_is_left_to_whoever_reads_it(tmp_path):
    touch(tmp_path, "train/1min_clips/abc_0000.mp4")
    write(tmp_path, {"data_list/train_video_tubes.txt": "abc_0000,720,1280,60,149,320,0,960,360"})
    (head,) = talkinghead_1kh.find_sources(tmp_path)
    assert (head.start, head.end) == (0.0, None)


def test_the_taste_serves_without_the_rest(tmp_path):
    touch(tmp_path, "small/cropped_clips/x_0000_S1_E2_L3_T4_R5_B6.mp4")
    assert [(s.speaker, s.split) for s in talkinghead_1kh.find_sources(tmp_path)] == [("x", "train")]


@pytest.mark.parametrize("line", ["abc_0000,720,1280,60", "abc_0000,720,0,60,149,320,0,960,360", "abc_0000 720"])
def test_a_damaged_list(tmp_path, line):
    touch(tmp_path, "train/1min_clips/abc_0000.mp4")
    with pytest.raises(InputError, match=r"no data_list/train_video_tubes.txt.*data_list.zip"):
        talkinghead_1kh.find_sources(tmp_path)
    write(tmp_path, {"data_list/train_video_tubes.txt": line})
    with pytest.raises(InputError, match="entry 1"):
        talkinghead_1kh.find_sources(tmp_path)
