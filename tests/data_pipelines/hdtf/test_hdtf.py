import numpy as np
import pytest

from data_pipelines.hdtf import hdtf
from tests.data_pipelines.files import touch, write
from vasa_jax.errors import InputError

URL = "https://www.youtube.com/watch?v="
LISTS = {
    "RD_video_url": f"Radio1 {URL}CPCoMyuBRM0\nRadio11 {URL}XtySvTwIOfw&t=6s\n",
    "RD_annotion_time": "Radio1.mp4 00:20-01:35\nRadio11.mp4 00:30-01:00 01:30-1:02:30 \n",
    "RD_crop_wh": "Radio1_0.mp4 320 640 0 640\nRadio11_0.mp4 480 720 36 720\n",
    "RD_resolution": "Radio1.mp4 720\nRadio11.mp4 720\n",
    "WDA_video_url": f"JamesClyburn {URL}eKqPmFleCy0\nWhipJimClyburn {URL}gh3YqnvNdio\n"
    f"JamesClyburn1 {URL}gh3YqnvNdio&t=5s\nAmyKlobuchar0 {URL}nIi3ytc5IY0",
    "WDA_annotion_time": "JamesClyburn.mp4 00:05-04:40\nWhipJimClyburn.mp4 00:05-04:40\nJamesClyburn1.mp4 00:05-04:40",
    "WDA_crop_wh": "JamesClyburn_0.mp4 10 480 5 480",
    "WDA_resolution": "JamesClyburn.mp4 0",
    "WRA_video_url": f"MittRomney {URL}x",
    "WRA_annotion_time": "MittRomney.mp4 08:10-08:30 01:33-00:53",
    "WRA_crop_wh": "MittRomney_0.mp4 614 964 0 964",
    "WRA_resolution": "MittRomney.mp4 1080",
}


def _lists(root, **changed):
    write(root, {f"HDTF_dataset/{name}.txt": text for name, text in (LISTS | changed).items()})


def test_stretches_and_boxes_of_whole_videos(tmp_path, video_writer):
    _lists(tmp_path)
    (tmp_path / "videos").mkdir()
    # Half as large as the image that the lists' pixels are of.
    video_writer(tmp_path / "videos" / "Radio11.mp4", np.zeros((2, 360, 640, 3), np.uint8), np.zeros(2000))
    touch(tmp_path, "videos/MittRomney.mp4", "_videos_raw/WDA_JamesClyburn.mp4")
    first, second, james, mitt = hdtf.find_sources(tmp_path)
    assert (first.name, first.start, first.end) == ("RD_Radio11_0", 30.0, 60.0)
    assert first.box == pytest.approx((480 / 1280, 36 / 720, 1200 / 1280, 1.0))
    assert (second.name, second.start, second.end, second.box) == ("RD_Radio11_1", 90.0, 3750.0, None)
    assert (james.name, james.box) == ("WDA_JamesClyburn_0", None)  # the height of the image is not known
    assert mitt.name == "WRA_MittRomney_0"  # a stretch that ends before it begins is none
    assert first.split == second.split == "train"


def test_clips_that_were_cut_already(tmp_path):
    _lists(tmp_path)
    touch(tmp_path, "clips/RD_Radio1_000.mp4", "clips/Radio11_0.mp4", "clips/Radio11_1.mp4", "clips/Radio111_0.mp4")
    sources = hdtf.find_sources(tmp_path)
    assert [s.name for s in sources] == ["RD_Radio1_000", "RD_Radio11_0", "RD_Radio11_1"]
    assert all((s.start, s.end, s.box) == (0.0, None, None) for s in sources)


def test_who_speaks(tmp_path):
    _lists(tmp_path)
    touch(tmp_path, "JamesClyburn1.mp4", "WhipJimClyburn.mp4", "JamesClyburn.mp4", "Radio1.mp4", "Radio11.mp4")
    speakers = {s.name.split("_")[1]: s.speaker for s in hdtf.find_sources(tmp_path)}
    # Two names, one recording: one person, who must not be in two splits.
    assert len({speakers[name] for name in ("JamesClyburn", "JamesClyburn1", "WhipJimClyburn")}) == 1
    assert speakers["Radio1"] != speakers["Radio11"]


def test_what_is_not_here_is_counted(tmp_path, caplog):
    _lists(tmp_path)
    touch(tmp_path, "Radio1.mp4")
    hdtf.find_sources(tmp_path)
    assert "6 of 7 videos of the lists are not here" in caplog.text


def test_what_is_wrong_is_said(tmp_path):
    touch(tmp_path, "videos/Radio1.mp4")
    with pytest.raises(InputError, match=r"no HDTF_dataset/RD_video_url.txt.*github.com/MRzzm/HDTF"):
        hdtf.find_sources(tmp_path)
    for name, text in (("RD_annotion_time", "00:20-01:xx"), ("RD_annotion_time", "00:20"), ("RD_resolution", "high")):
        _lists(tmp_path, **{name: f"Radio1.mp4 {text}"})
        with pytest.raises(InputError, match=rf"{name}.*Radio1"):
            hdtf.find_sources(tmp_path)
