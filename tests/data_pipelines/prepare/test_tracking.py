import itertools
import os
import pathlib
import sys

import numpy as np
import pytest

from data_pipelines.prepare import tracking
from vasa_jax.errors import InputError

IMAGES = [np.zeros((8, 8, 3), np.uint8)] * 4
SHARED = pathlib.Path(__file__).parents[4] / "shared"


def _track(t=4):
    rng = np.random.default_rng(0)
    shapes = rng.random((t, 52)).astype(np.float32)
    return tracking.Track(rng.random((t, 478, 3)).astype(np.float32), shapes, np.arange(t) != 2)


def test_saved_tracks_come_back(tmp_path):
    track = _track()
    track.save(tmp_path / "a.npz")
    back = tracking.LandmarksFolder(tmp_path).track("a", iter(IMAGES))
    for name in ("points", "blendshapes", "valid"):
        np.testing.assert_array_equal(getattr(back, name), getattr(track, name))
    assert os.listdir(tmp_path) == ["a.npz"]
    assert back.take(np.asarray([0, 0, 2])).valid.tolist() == [True, True, False]


def test_blendshapes_may_be_absent(tmp_path):
    np.savez(tmp_path / "a.npz", lm=_track().points, ok=_track().valid)
    assert (tracking.LandmarksFolder(tmp_path).track("a", IMAGES).blendshapes == 0).all()


def test_what_can_be_wrong_with_tracks(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        tracking.LandmarksFolder(tmp_path / "absent")
    folder = tracking.LandmarksFolder(tmp_path)
    with pytest.raises(InputError, match="--face_model"):
        folder.track("a", IMAGES)
    (tmp_path / "b.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(InputError, match="not a landmarks file"):
        folder.track("b", IMAGES)
    np.savez(tmp_path / "c.npz", other=np.zeros(3))
    with pytest.raises(InputError, match="not a landmarks file"):
        folder.track("c", IMAGES)
    _track(5).save(tmp_path / "d.npz")
    with pytest.raises(InputError, match="of 4 images"):
        folder.track("d", IMAGES)


def test_saving_tracker_tracks_once(tmp_path):
    calls = []

    class Fake:
        def track(self, clip_id, images):
            calls.append(clip_id)
            return _track(len(list(images)))

        def close(self):
            pass

    saving = tracking.SavingTracker(Fake(), tmp_path / "tracks")
    for _ in range(2):
        assert saving.track("a", iter(IMAGES)).points.shape == (4, 478, 3)
    assert calls == ["a"]


def test_missing_model_and_missing_package(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="no such file"):
        tracking.MediaPipeTracker(tmp_path / "absent.task")
    (tmp_path / "x.task").write_bytes(b"x")
    for name in ("mediapipe", "mediapipe.tasks.python"):  # as if not installed, whoever imported it before
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match="needs the package mediapipe"):
        tracking.MediaPipeTracker(tmp_path / "x.task")


@pytest.mark.slow
def test_finds_a_real_face():
    models, clips = sorted(SHARED.glob("weights/face_landmarker*.task")), sorted(SHARED.glob("data/grid/s1/*.mp4"))
    if not models or not clips:
        pytest.skip(f"no face model or no GRID clip under {SHARED}")
    pytest.importorskip("mediapipe", reason="mediapipe is not installed")
    from data_pipelines.prepare import crops, ingest
    from vasa_jax import landmarks

    images = itertools.islice(ingest.Video(clips[0]).images(), 3)
    track = tracking.MediaPipeTracker(models[0]).track("a", images)
    assert track.valid.all() and track.points.shape == (3, 478, 3) and track.blendshapes.shape == (3, 52)
    box = crops.find_crop(landmarks.from_mediapipe(track.points))
    assert 60 < box.half < 140 and 100 < box.x < 260 and 100 < box.y < 230  # a 360 x 288 image of head and shoulders
