import pathlib

import av
import numpy as np
import pytest

from data_pipelines.prepare import audio_apart, video
from data_pipelines.prepare.source import Dropped, Processed, Source
from tests.data_pipelines.files import write
from vasa_jax.errors import InputError

RATE = 16_000


def _silent_video(path: pathlib.Path, count: int = 25) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for k in range(count):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 8 * k, np.uint8), "rgb24")))
        container.mux(stream.encode(None))


def _sound(path: pathlib.Path, samples: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac" if path.suffix == ".m4a" else "pcm_s16le", rate=RATE, layout="mono")
        for at in range(0, len(samples), 1024):
            kind, dtype = ("fltp", np.float32) if path.suffix == ".m4a" else ("s16", np.int16)
            part = samples[None, at : at + 1024]
            frame = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(part if kind == "fltp" else part * 32767, dtype), format=kind, layout="mono"
            )
            frame.sample_rate, frame.pts = RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


@pytest.fixture
def apart(tmp_path) -> Source:
    _silent_video(tmp_path / "1.mp4")
    return Source(tmp_path / "1.mp4", "one", "anna", audio=tmp_path / "1.m4a")


@pytest.mark.parametrize("ending", [".m4a", ".wav"])
def test_pictures_and_sound_keep_their_places(apart, tmp_path, ending):
    burst = np.zeros(RATE)
    burst[6400:9600] = 0.5 * np.sin(np.arange(3200) / 3)  # from 0.4 s to 0.6 s
    source = Source(apart.path, "one", "anna", audio=tmp_path / f"1{ending}")
    _sound(source.audio, burst)
    with audio_apart.one_file(source) as whole:
        assert whole.audio is None and whole.name == source.name
        raw = video.read_clip(whole.path)
    assert not whole.path.exists()
    assert len(raw.frame_indices) == 25 and len(raw.audio) == RATE
    np.testing.assert_allclose([p.mean() for p in raw.pictures], 8 * np.arange(25), atol=3)
    lags = [np.corrcoef(np.roll(raw.audio, -lag), burst)[0, 1] for lag in range(-160, 161)]
    assert abs(int(np.argmax(lags)) - 160) <= 16 and max(lags) > 0.95  # within a millisecond


def test_a_source_in_one_file_stays_as_it_is(apart):
    source = Source(apart.path, "one", "anna")
    with audio_apart.one_file(source) as whole:
        assert whole is source


def test_joined_gives_reasons_with_the_names_people_know(apart):
    _sound(apart.audio, np.zeros(RATE))

    @audio_apart.joined
    def process(source, word):
        assert source.path != apart.path and source.path.exists()
        return Processed(dropped=[Dropped(source.name, f"{source.path}: {word}")])

    assert process(apart, "too dark").dropped == [Dropped("one", f"{apart.path}: too dark")]


def test_what_cannot_be_put_together_is_dropped(apart, tmp_path):
    @audio_apart.joined
    def process(source):
        raise AssertionError("not reached")

    for text in ("", "not sound"):
        write(tmp_path, {"1.m4a": text})
        (dropped,) = process(apart).dropped
        assert dropped.clip == "one" and "1.m4a: cannot be opened" in dropped.reason
    apart.audio.unlink()
    with pytest.raises(InputError, match=r"1\.m4a: cannot be opened"), audio_apart.one_file(apart):
        pass
    _sound(tmp_path / "1.m4a", np.zeros(RATE))
    swapped = Source(apart.audio, "one", "anna", audio=apart.path)
    assert "no video stream" in process(swapped).dropped[0].reason
    silent = Source(apart.path, "one", "anna", audio=apart.path)
    assert "1.mp4: no sound" in process(silent).dropped[0].reason
