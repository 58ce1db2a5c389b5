import numpy as np
import pytest

from data_pipelines.prepare.tracking import Track
from experiments.evaluation import reading
from tests.data_pipelines.conftest import mesh_of
from vasa_jax import landmarks


def track(t, valid):
    points = mesh_of(np.repeat(landmarks.template()[None] * 40 + 60, t, 0))
    points[~valid] = 0.0
    return Track(points, np.zeros((t, 52), np.float32), valid)


def test_lost_frames_are_filled_and_marked():
    found = reading.read_track(track(6, np.arange(6) != 3), 120)
    assert found.mouth == pytest.approx(np.full(6, landmarks.mouth(landmarks.template())[0]), rel=1e-4)
    assert found.valid.tolist() == [True] * 3 + [False] + [True] * 2


def test_no_face_anywhere():
    found = reading.read_track(track(4, np.zeros(4, bool)), 120)
    assert not found.valid.any() and found.mouth.shape == (4,) and found.lids.shape == (4, 2)


def test_the_latents_are_read_without_images(face, clips):
    found = reading.read_motion(face, face.motion(clips[0].images))
    assert found.mouth == pytest.approx(clips[0].labels["mouth"][:, 0]) and found.valid.all()


def test_the_model_s_own_reading_says_so(face, clips):
    reader = reading.ModelReader(face)
    assert "--face_model" in reader.name
    assert reader.read(clips[0].images).mouth == pytest.approx(clips[0].labels["mouth"][:, 0])


def test_tracks_of_real_images_are_kept_and_of_decoded_ones_not(monkeypatch, tmp_path, clips):
    calls = []

    class Tracker:
        def __init__(self, path):
            pass

        def track(self, clip_id, images):
            calls.append(clip_id)
            return track(len(images), np.ones(len(images), bool))

        def close(self):
            pass

    monkeypatch.setattr(reading.tracking, "MediaPipeTracker", Tracker)
    for _ in range(2):
        reader = reading.TrackReader("model.task", tmp_path / "tracks")
        reader.read(clips[0].images, real="s1_0")
        reader.read(clips[0].images)
    assert len(calls) == 3 and [path.name for path in (tmp_path / "tracks").iterdir()] == ["s1_0_at32.npz"]


def test_a_track_tells_of_the_whole_head():
    found = reading.read_track(track(3, np.ones(3, bool)), 120)
    assert found.rotation == pytest.approx(np.zeros((3, 3)), abs=0.02) and found.eyes.shape == (3, 2)
    assert found.points[0, :, :2] == pytest.approx(landmarks.template()[:, :2] * 2 / 3, abs=1e-4)
    assert reading.landmark_error(found, found) == pytest.approx(np.zeros(3))


def test_gradients_tell_of_what_they_learned():
    """Bars that turn stand for heads that turn."""
    rng = np.random.default_rng(0)
    angles = rng.uniform(-0.5, 0.5, 80)
    images = np.stack([bar(angle) for angle in angles])
    rotation = np.stack([0 * angles, angles, 0 * angles], -1)
    known = slice(0, 60)
    eyes, mouth, lids = np.zeros((60, 2)), angles[known] + 1, np.zeros((60, 2))
    reader = reading.HogReader(images[known], rotation[known], eyes, mouth, lids)
    found = reader.read(images[60:])
    assert np.abs(found.rotation[:, 1] - angles[60:]).mean() < 0.08
    assert np.abs(found.mouth - angles[60:] - 1).mean() < 0.08 and found.valid.all()


def bar(angle):
    y, x = np.mgrid[-1:1:32j, -1:1:32j]
    across = np.abs(np.cos(angle) * x + np.sin(angle) * y) < 0.3
    return np.repeat(np.uint8(200 * across)[..., None], 3, -1)
