import pathlib

import numpy as np
import pytest

from data_pipelines import records
from data_pipelines.grid import grid
from data_pipelines.prepare import example, tracking
from vasa_jax.errors import InputError

SHARED_GRID = pathlib.Path(__file__).parents[4] / "shared" / "data" / "grid"


def _touch(root, speaker, names):
    (root / speaker).mkdir()
    for name in names:
        (root / speaker / name).write_bytes(b"")


def test_splits_by_speaker_and_sentence(tmp_path):
    _touch(tmp_path, "s1", [f"c{i:02}.mpg" for i in range(20)] + ["c00.align", "readme.txt"])
    _touch(tmp_path, "s5", ["a.mp4", "b.mp4", "c.mp4", "d.mp4"])
    _touch(tmp_path, "s32", ["x.MPG"])
    sources = grid.find_sources(tmp_path)
    splits = {s.clip_id: s.split for s in sources}
    assert len(sources) == 25
    assert [name for name, split in splits.items() if split == "test"] == ["s1_c03", "s1_c11", "s1_c19"]
    assert {name for name, split in splits.items() if split == "unseen"} == {"s32_x", "s5_a", "s5_b", "s5_c", "s5_d"}


def test_one_clip_a_sentence(tmp_path):
    _touch(tmp_path, "s2", ["a.mpg", "a.mp4"])
    assert [s.clip_id for s in grid.find_sources(tmp_path)] == ["s2_a"]


def test_no_videos(tmp_path):
    with pytest.raises(InputError, match="no video"):
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

        def track(self, clip_id, pictures):
            found = tracking.MediaPipeTracker(models[0]).track(clip_id, pictures[::25])
            return found.take(np.arange(len(pictures)) // 25)

    made = example.make_example(clips[0], "s1_x", "s1", EveryTenth(), 160)
    assert len(made["frames"]) == 75 and made["audio"].shape == (48_000,)
    pose = np.median(made["pose"], 0)
    np.testing.assert_allclose(pose[3:], [0, 0, 0, 1], atol=1e-4)
    assert np.abs(pose[:3]).max() < 0.4 and 0.01 < made["audio"].std() < 0.5
    assert np.abs(np.degrees(np.median(made["gaze"], 0))).max() < 15  # speakers of GRID look at the camera


def test_builder_writes_what_the_stream_reads(grid_folder, tmp_path):
    import tensorflow_datasets as tfds

    videos, tracks = grid_folder
    builder = grid.Grid(
        tracker=tracking.LandmarksFolder(tracks), config="tiny_64", data_dir=tmp_path, file_format="array_record"
    )
    config = tfds.download.DownloadConfig(manual_dir=str(videos))
    builder.download_and_prepare(download_config=config)
    assert len(builder.quality["kept"]) == 9
    assert [d["clip"] for d in builder.quality["dropped"]] == ["s1_clip5"]
    assert "50%" in builder.quality["dropped"][0]["reason"]
    folder = records.find_dataset(tmp_path, "grid")
    train, test, unseen = (records.RecordSplit(folder, name) for name in ("train", "test", "unseen"))
    assert (len(train), test.clip_ids, unseen.clip_ids) == (7, ["s1_clip3"], ["s5_clip0"])
    clip = train[0]
    assert clip.picture(0).shape == (80, 80, 3) and len(clip) == 6 and clip.speaker == "s1"
    np.testing.assert_allclose(np.median(clip.labels["pose"], 0)[3:], [0, 0, 0, 1], atol=1e-4)
