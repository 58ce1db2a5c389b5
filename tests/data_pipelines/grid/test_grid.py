import pathlib
import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data_pipelines.grid import grid
from data_pipelines.prepare import process, tracking
from data_pipelines.prepare.source import Source
from tests.data_pipelines.files import touch
from vasa_jax.errors import InputError

SHARED_GRID = pathlib.Path(__file__).parents[4] / "shared" / "data" / "grid"


def test_splits_by_speaker_and_sentence(tmp_path):
    touch(tmp_path, *(f"s1/c{i:02}.mpg" for i in range(20)), "s1/c00.align", "s1/readme.txt")
    touch(tmp_path, *(f"s5/{name}.mp4" for name in "abcd"), "s32/x.MPG")
    sources = grid.find_sources(tmp_path)
    splits = {s.name: s.split for s in sources}
    assert len(sources) == 25 and {s.speaker for s in sources} == {"s1", "s5", "s32"}
    held_out = {name: split for name, split in splits.items() if split in ("validation", "test")}
    assert held_out == {"s1_c03": "validation", "s1_c11": "test", "s1_c19": "validation"}
    assert {name for name, split in splits.items() if split == "unseen"} == {"s32_x", "s5_a", "s5_b", "s5_c", "s5_d"}


@settings(max_examples=20, deadline=None)
@given(st.dictionaries(st.sampled_from(["s1", "s5", "s7", "s30", "s32"]), st.integers(1, 70), min_size=1))
def test_validation_is_half_of_what_was_test_and_nothing_else_moved(sentences):
    """Weights exist that were trained on `train` of the rule before: no clip of it may be called held out by chance."""
    with tempfile.TemporaryDirectory() as folder:
        touch(pathlib.Path(folder), *(f"{who}/c{k:03}.mp4" for who, count in sentences.items() for k in range(count)))
        sources = grid.find_sources(folder)
    now: dict[str, set[str]] = {split: set() for split in ("train", "validation", "test", "unseen")}
    for source in sources:
        now[source.split].add(source.name)
    before: dict[str, set[str]] = {split: set() for split in ("train", "test", "unseen")}
    for who, count in sentences.items():
        for k in range(count):
            split = "unseen" if who in ("s5", "s32") else "test" if k % 8 == 3 else "train"
            before[split].add(f"{who}_c{k:03}")
    assert now["train"] == before["train"] and now["unseen"] == before["unseen"]
    assert now["validation"] | now["test"] == before["test"] and not now["validation"] & now["test"]
    assert len(sources) == sum(sentences.values())
    assert {int(name[-3:]) % 16 for name in now["validation"]} <= {3} and len(now["validation"]) >= len(now["test"])


def test_one_clip_a_sentence(tmp_path):
    touch(tmp_path, "s2/a.mpg", "s2/a.mp4")
    assert [s.name for s in grid.find_sources(tmp_path)] == ["s2_a"]


def test_no_videos(tmp_path):
    with pytest.raises(InputError, match="no video.*zenodo"):
        grid.find_sources(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        grid.find_sources(tmp_path / "absent")


def test_a_real_clip():
    tracks = sorted(SHARED_GRID.parents[1].glob("**/s1_*.npz"))
    models = sorted(SHARED_GRID.parents[1].glob("weights/face_landmarker*.task"))
    clips = sorted(SHARED_GRID.glob("s1/*.mp4"))
    if not clips or not (tracks or models):
        pytest.skip(f"no GRID clip, or neither tracks nor a face model, under {SHARED_GRID.parents[1]}")
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")

    class EveryTenth:
        """Tracks few frames and lets the face rest between: the test is of the path, not of the tracker."""

        def track(self, clip_id, images, box=None):
            images = list(images)
            found = tracking.MediaPipeTracker(models[0]).track(clip_id, images[::25])
            return found.take(np.arange(len(images)) // 25)

        def close(self):
            pass

    options = process.Options(size=160, min_seconds=0.0, filters=False)
    (made,) = process.process(Source(clips[0], "s1_x", "s1"), EveryTenth(), options).examples
    assert len(made["frames"]) == 75 and made["audio"].shape == (48_000,)
    pose = np.median(made["pose"], 0)
    np.testing.assert_allclose(pose[3:], [0, 0, 0, 1], atol=1e-4)
    assert np.abs(pose[:3]).max() < 0.4 and 0.01 < made["audio"].std() < 0.5
    assert np.abs(np.degrees(np.median(made["gaze"], 0))).max() < 15  # speakers of GRID look at the camera
