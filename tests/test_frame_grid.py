"""One rule for every video: the nearest frame, none before its moment, two in memory."""

import gc
import weakref

import numpy as np
import pytest

from data_pipelines.prepare import ingest
from vasa_jax import media
from vasa_jax.audio_file import AudioReader
from vasa_jax.frame_grid import FrameGrid

RATE = 25


def on_show(times: np.ndarray) -> np.ndarray:
    """[t] which of the frames at these times [n] (seconds) is on show at every 1/25 s, of all of them at once."""
    times = np.asarray(times, np.float64) - times[0]
    duration = np.median(np.diff(times)) if len(times) > 1 else 1 / RATE
    slots = np.arange(max(1, round((times[-1] + duration) * RATE))) / RATE
    far = np.abs(times - slots[:, None])
    return np.where(times - slots[:, None] > 0.5 / RATE + 1e-6, np.inf, far).argmin(1)


class FakeFrame:
    """A decoded frame that knows its number and counts how many of its kind are alive."""

    def __init__(self, number, alive):
        self.number = number
        alive.add(self)

    def to_ndarray(self):
        return np.full((1, 1, 3), self.number, np.int32)


@pytest.fixture
def small_heap():
    """Collecting garbage looks at what the test makes, not at all the modules: that would take a second a time."""
    gc.collect()
    gc.freeze()
    yield
    gc.unfreeze()


def through(times, **options):
    """(numbers of the frames handed out, most frames alive at once)."""
    grid, alive, most, got = FrameGrid(RATE, lambda frame: frame.to_ndarray(), **options), weakref.WeakSet(), 0, []
    for number, time in enumerate(times):
        got += [int(p[0, 0, 0]) for p in grid.add(time, FakeFrame(number, alive))]
        gc.collect()
        most = max(most, len(alive))
    return got + [int(p[0, 0, 0]) for p in grid.finish()], most


@pytest.mark.usefixtures("small_heap")
@pytest.mark.parametrize("seed", range(5))
def test_what_is_on_show_with_two_frames_in_memory(seed):
    times = 3 + np.cumsum(np.random.default_rng(seed).choice([0.01, 0.02, 0.04, 0.1, 0.3], 60))
    got, most = through(times)
    np.testing.assert_array_equal(got, on_show(times))
    assert most <= 2


def test_what_is_held_is_held_and_its_successor_comes_on_time():
    got, _ = through([0.0, 0.04, 2.0, 2.04])
    assert got == [0] + [1] * 49 + [2, 3]


@pytest.mark.parametrize("rate", [24, 30, 50, 60])
def test_frames_are_the_nearest_and_as_many_as_the_seconds_ask(rate):
    got, _ = through(np.arange(2 * rate) / rate)
    assert len(got) == 50
    assert np.abs(np.asarray(got) / rate - np.arange(50) / 25).max() <= max(0.5 / rate, 0.5 / RATE) + 1e-6


def test_a_later_start_gives_the_same_frames():
    times = 1 + np.cumsum(np.random.default_rng(0).choice([0.02, 0.04, 0.07], 80))
    every, _ = through(times)
    for begin in (10, 30):  # frames before the first slot are there, as after a seek
        some, _ = through(times[begin:], origin=times[0], first=int((times[begin] - times[0]) * RATE) + 3)
        assert [begin + number for number in some] == every[-len(some) :]


@pytest.mark.parametrize("fps", [12, 30])
def test_driving_videos_and_data_are_read_alike(tmp_path, fps):
    import soundfile

    soundfile.write(tmp_path / "s.wav", np.zeros(32_000, np.float32), 16_000)
    frames = np.random.default_rng(0).integers(0, 255, (2 * fps, 4, 4, 3), np.uint8).repeat(16, 1).repeat(16, 2)
    with media.VideoWriter(tmp_path / "v.mp4", AudioReader(tmp_path / "s.wav"), fps) as writer:
        for frame in frames:
            writer.write(frame)
    driving, data = list(media.VideoReader(tmp_path / "v.mp4")), list(ingest.Video(tmp_path / "v.mp4").images())
    np.testing.assert_array_equal(driving, data)
