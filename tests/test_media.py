"""Sound and video: every kind that users have comes in, every bad file is one line, audio stays in step."""

import contextlib
import itertools

import av
import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from vasa_jax import media
from vasa_jax.errors import InputError


class Abort(BaseException):
    """Like Ctrl-C: not an Exception."""


def gradient(height=60, width=80):
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, 0 * x + 100], -1).astype(np.uint8)


def tone(seconds, rate=16_000, channels=1):
    wave = 0.3 * np.sin(2 * np.pi * 220 * np.arange(round(seconds * rate)) / rate)
    return np.repeat(wave[:, None], channels, 1).astype(np.float32)


def write_wav(path, samples, rate=16_000, **options):
    soundfile.write(path, samples, rate, **options)
    return path


def write_video(path, frames, audio=None, fps=25):
    with media.VideoWriter(path, audio, fps) as writer:
        for frame in frames:
            writer.write(frame)
    return path


# ---------------------------------------------------------------- audio


@settings(max_examples=25, deadline=None)
@given(samples=st.integers(1_600, 60_000), rate=st.sampled_from([8_000, 11_025, 16_000, 22_050, 44_100, 48_000]))
def test_frames_are_the_rounded_seconds_times_25(tmp_path_factory, samples, rate):
    path = tmp_path_factory.mktemp("audio") / "s.wav"
    if samples / rate < media.MIN_SECONDS:
        samples = round(media.MIN_SECONDS * rate) + samples % 97
    reader = media.AudioReader(write_wav(path, np.zeros(samples, np.float32), rate))
    assert reader.samples == samples
    assert reader.frames == round(samples / rate * 25)
    assert sum(map(len, reader.mono())) == reader.frames * 640


@pytest.mark.parametrize("name", ["s.wav", "s.flac", "s.ogg", "s.mp3"])
@pytest.mark.parametrize("channels", [1, 2])
def test_formats_are_read_at_their_rate(tmp_path, name, channels):
    path = write_wav(tmp_path / name, tone(1.5, 24_000, channels), 24_000)
    reader = media.AudioReader(path)
    assert (reader.rate, reader.channels) == (24_000, channels)
    assert abs(reader.seconds - 1.5) < 0.06  # MP3 pads to whole frames of 24 ms
    audio = np.concatenate(list(reader.mono()))
    assert np.isclose(np.abs(audio[4000:20000]).max(), 0.3, atol=0.03)


def test_the_audio_of_a_video_is_read_and_its_padding_cut(tmp_path):
    wav = media.AudioReader(write_wav(tmp_path / "s.wav", tone(2.0, 44_100), 44_100))
    path = write_video(tmp_path / "v.mp4", [gradient()] * 50, wav)
    reader = media.AudioReader(path)
    assert reader.rate == 44_100 and reader.samples == 88_200 and reader.frames == 50


def test_streamed_resampling_equals_one_piece(tmp_path):
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, 100_000).astype(np.float32)
    pieces = np.concatenate(list(media.resample(iter(np.array_split(noise, 37)), 44_100, 16_000)))
    whole = np.concatenate(list(media.resample(iter([noise]), 44_100, 16_000)))
    np.testing.assert_allclose(pieces, whole, atol=1e-6)  # the same filter on the same samples


def test_values_that_are_not_numbers_become_silence(tmp_path):
    samples = tone(0.5)[:, 0]
    samples[1000:1010], samples[2000], samples[3000] = np.nan, np.inf, -np.inf
    reader = media.AudioReader(write_wav(tmp_path / "s.wav", samples, subtype="FLOAT"))
    assert reader.repaired == 12
    audio = np.concatenate(list(reader.mono()))
    assert np.isfinite(audio).all() and np.abs(audio).max() <= 1 and (audio[1000:1010] == 0).all()


def test_bad_recordings_are_refused(tmp_path):
    (tmp_path / "text.wav").write_text("this is no audio at all, " * 100)
    (tmp_path / "empty.wav").touch()
    (tmp_path / "list.mp3").write_text("#EXTM3U\n/etc/passwd\n")
    write_wav(tmp_path / "short.wav", tone(0.01))
    write_video(tmp_path / "mute.mp4", [gradient()] * 5)
    cases = {"text.wav": "not a readable", "empty.wav": "empty", "list.mp3": "not a readable", "mute.mp4": "no audio"}
    for name, words in (cases | {"short.wav": "minimum is 0.2 s", "missing.wav": "not exist", "": "folder"}).items():
        with pytest.raises(InputError, match=words) as error:
            media.AudioReader(tmp_path / name)
        assert "\n" not in str(error.value)


def test_too_long_a_recording_is_refused_without_reading_it_all(tmp_path):
    with soundfile.SoundFile(tmp_path / "long.flac", "w", 8_000, 1) as file:
        for _ in range(61):
            file.write(np.zeros(80_000, np.float32))
    with pytest.raises(InputError, match="10 minutes"):
        media.AudioReader(tmp_path / "long.flac")


# ---------------------------------------------------------------- video


def numbered(count, size=64):
    """Frames that carry their number as eight dark or bright bars."""
    for i in range(count):
        bits = np.asarray([(i >> k) & 1 for k in range(8)], np.uint8)
        yield np.repeat(np.repeat(bits * 200 + 20, size // 8)[None, :, None], size, 0).repeat(3, -1)


def number(frame):
    width = frame.shape[1] // 8
    return sum(int(frame[:, k * width + 1 : (k + 1) * width - 1].mean() > 120) << k for k in range(8))


def test_reading_is_frame_exact_from_any_start(tmp_path):
    path = write_video(tmp_path / "v.mp4", numbered(60))
    reader = media.VideoReader(path)
    assert [number(f) for f in reader] == list(range(60))
    for start, count in ((0, 3), (1, 2), (29, 5), (57, 9)):
        assert [number(f) for f in reader.frames(start, count)] == list(range(start, min(start + count, 60)))


@pytest.mark.parametrize("fps", [12, 30, 50])
def test_other_rates_are_brought_to_25(tmp_path, fps):
    path = write_video(tmp_path / "v.mp4", numbered(2 * fps), fps=fps)
    seen = [number(f) for f in media.VideoReader(path)]
    assert len(seen) == 50
    late = np.arange(50) / 25 - np.asarray(seen) / fps  # the nearest, but never more than half a slot early
    assert late.min() >= -0.5 / 25 - 1e-6 and late.max() <= max(0.5 / fps, 1 / fps - 0.5 / 25) + 1e-6


def test_colours_and_odd_sizes_survive(tmp_path):
    # Chroma is stored at half the resolution, so colours are compared away from edges.
    frame = np.full((61, 83, 3), (200, 40, 90), np.uint8)
    image = next(iter(media.VideoReader(write_video(tmp_path / "v.mp4", [frame] * 3))))
    assert image.shape == (62, 84, 3)
    assert np.abs(image.astype(int) - (200, 40, 90)).max() <= 4


def test_image_and_audio_stay_in_step(tmp_path):
    """A flash and a click at the same times come back at the same times, to half a frame and a millisecond."""
    rate, moments = 44_100, (10, 37, 62)
    samples = np.zeros(rate * 3, np.float32)
    for moment in moments:
        samples[moment * rate // 25 : moment * rate // 25 + 40] = 0.9
    audio = media.AudioReader(write_wav(tmp_path / "s.wav", samples, rate))
    frames = (np.full((64, 64, 3), 255 if i in moments else 0, np.uint8) for i in range(75))
    path = write_video(tmp_path / "v.mp4", frames, audio)
    bright = [i for i, f in enumerate(media.VideoReader(path)) if f.mean() > 128]
    assert bright == list(moments)
    heard = np.concatenate(list(media.AudioReader(path).blocks()))[:, 0]
    assert len(heard) == len(samples)
    for moment in moments:
        at = moment * rate // 25
        peak = np.abs(heard[at - 2000 : at + 2000]).argmax() - 2000
        assert -0.001 * rate <= peak <= 0.002 * rate


def test_the_audio_keeps_a_rate_that_aac_knows(tmp_path):
    for rate, kept in ((16_000, 16_000), (44_100, 44_100), (9_600, 48_000)):
        audio = media.AudioReader(write_wav(tmp_path / "s.wav", tone(0.4, rate), rate))
        with av.open(str(write_video(tmp_path / "v.mp4", [gradient()] * 10, audio))) as container:
            stream, video = container.streams.audio[0], container.streams.video[0]
            assert stream.codec_context.sample_rate == kept and stream.codec_context.name == "aac"
            assert video.codec_context.name == "h264" and video.codec_context.pix_fmt == "yuv420p"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, Abort])
def test_nothing_is_left_behind(tmp_path, error):
    (tmp_path / "v.mp4").write_text("precious")
    with pytest.raises(error), media.VideoWriter(tmp_path / "v.mp4") as writer:
        writer.write(gradient())
        raise error
    assert [p.name for p in tmp_path.iterdir()] == ["v.mp4"]
    assert (tmp_path / "v.mp4").read_text() == "precious"


def test_a_failing_finish_leaves_nothing(tmp_path):
    def finish(path):
        assert path.exists()
        raise InputError("cannot sign")

    with pytest.raises(InputError, match="cannot sign"), media.VideoWriter(tmp_path / "v.mp4", finish=finish) as writer:
        writer.write(gradient())
    with pytest.raises(InputError, match="no frame"), media.VideoWriter(tmp_path / "v.mp4"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_audio_is_read_as_the_frames_come(tmp_path):
    """Memory stays constant: after k frames, no more audio was taken than those frames and a block need."""
    audio = media.AudioReader(write_wav(tmp_path / "s.wav", tone(60, 16_000)))
    taken = itertools.count()
    blocks = audio.blocks

    def counted():
        for block in blocks():
            next(taken)
            yield block

    audio.blocks = counted
    with contextlib.suppress(Abort), media.VideoWriter(tmp_path / "v.mp4", audio) as writer:
        for _ in range(25):
            writer.write(gradient())
        assert next(taken) <= 2
        raise Abort


def test_videos_that_cannot_be_read_are_refused(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    write_wav(tmp_path / "s.wav", tone(0.5))
    whole = write_video(tmp_path / "v.mp4", numbered(20)).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[:300])
    for name, words in (
        ("text.mp4", "not a readable"),
        ("s.wav", "no image"),
        ("cut.mp4", "not a readable|no frame|no image"),
    ):
        with pytest.raises(InputError, match=words):
            media.VideoReader(tmp_path / name)
