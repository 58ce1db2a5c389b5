"""Every kind of file gives the same images and audio, one image at a time, and bad ones say what is wrong."""

import fractions
import itertools
import os

import av
import numpy as np
import pytest

from data_pipelines import schema
from data_pipelines.prepare import ingest, stretches
from data_pipelines.prepare.source import Source
from tests.test_frame_grid import on_show
from vasa_jax.errors import InputError


def numbered(count: int) -> np.ndarray:
    """[count, 64, 64, 3] images that carry their number: tens in the grey of the left half, ones in the right."""
    images = np.empty((count, 64, 64, 3), np.uint8)
    images[:, :, :32] = (20 + 20 * (np.arange(count) // 10))[:, None, None, None]
    images[:, :, 32:] = (20 + 20 * (np.arange(count) % 10))[:, None, None, None]
    return images


def number(image: np.ndarray) -> int:
    """Which of `numbered` an image is."""
    tens, ones = (round((half.mean() - 20) / 20) for half in (image[:, 4:28], image[:, 36:60]))
    return 10 * tens + ones


def numbers(path, *args) -> np.ndarray:
    """Which of `numbered` the images of a video are."""
    return np.asarray([number(image) for image in ingest.Video(path, *args).images()])


def write_silence(container, stream, seconds: float) -> None:
    """Fills a stream of 48 kHz, mono."""
    for k in range(0, round(48_000 * seconds), 960):
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 960), np.int16), format="s16", layout="mono")
        frame.sample_rate, frame.pts = 48_000, k
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_containers(tmp_path, video_writer, ending):
    path = tmp_path / f"clip.{ending}"
    video_writer(path, numbered(30), np.zeros(44_100 * 30 // 25))
    np.testing.assert_array_equal(numbers(path), np.arange(30))


def write_with(path, codec: str, audio: str, options: dict, ticks: np.ndarray, tone: np.ndarray, **muxer: str) -> None:
    """`numbered` images on these ticks of 1/25 s, with audio [n] at 48 kHz."""
    with av.open(str(path), "w", options=muxer) as container:
        stream = container.add_stream(codec, rate=25, options=options)
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        stream.codec_context.thread_count = 2  # the same file on any machine: one thread leaves a gap in MPEG-1
        heard = container.add_stream(audio, rate=48_000, layout="mono")
        packets = []
        for tick, image in zip(ticks, numbered(len(ticks)), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = int(tick), fractions.Fraction(1, 25)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        for at in range(0, len(tone), 960):
            frame = av.AudioFrame.from_ndarray(tone[None, at : at + 960], format="s16", layout="mono")
            frame.sample_rate, frame.pts = 48_000, at
            packets += heard.encode(frame)
        packets += heard.encode(None)
        for packet in sorted(packets, key=lambda p: float(p.dts * p.time_base)):
            container.mux(packet)


CODECS = {
    "webm": ("webm", "libvpx", "libopus", {}),
    "mpg": ("mpg", "mpeg1video", "mp2", {}),
    "avi, MPEG-4": ("avi", "mpeg4", "pcm_s16le", {}),
    "avi, MPEG-4 with B-frames": ("avi", "mpeg4", "pcm_s16le", {"bf": "2", "b": "2000000"}),
    "avi, H.264": ("avi", "libx264", "pcm_s16le", {"bf": "0"}),
    "avi, H.264 with B-frames": ("avi", "libx264", "pcm_s16le", {"bf": "3"}),
    "avi, H.264 with B-frames that lean on each other": (
        "avi", "libx264", "pcm_s16le", {"bf": "7", "b-pyramid": "normal", "b_strategy": "0"},
    ),
    "mp4, H.264 with B-frames": ("mp4", "libx264", "aac", {"bf": "3"}),
}  # fmt: skip


@pytest.mark.parametrize("kind", CODECS)
def test_other_codecs(tmp_path, kind):
    """Every image once, in its order, and the audio in step with it: silence until image 20."""
    ending, codec, audio, options = CODECS[kind]
    path, tone = tmp_path / f"clip.{ending}", np.zeros(48_000 * 40 // 25, np.int16)
    tone[38_400:] = 8000 * np.sin(np.arange(len(tone) - 38_400) / 20)
    write_with(path, codec, audio, options, np.arange(40), tone)
    np.testing.assert_array_equal(numbers(path), np.arange(40))
    read = ingest.Video(path)
    loud = np.abs(read.audio(sum(1 for _ in read.images())))
    assert len(loud) == 40 * schema.SAMPLES_PER_FRAME
    assert abs(np.argmax(loud > 0.05) - 20 * schema.SAMPLES_PER_FRAME) < schema.SAMPLES_PER_FRAME / 2


@pytest.mark.parametrize("bf", ["0", "2"])
def test_ticks_without_an_image_in_avi(tmp_path, bf):
    """A recorder that was too slow leaves empty chunks: the images after them must not come early."""
    ticks = np.asarray([*range(10), *range(14, 30), *range(31, 40)])
    path = tmp_path / "clip.avi"
    write_with(path, "libx264", "pcm_s16le", {"bf": bf}, ticks, np.zeros(48_000 * 40 // 25, np.int16))
    np.testing.assert_array_equal(numbers(path), on_show(ticks / 25))
    read = ingest.Video(path)
    assert sum(1 for _ in read.images()) == 40 and read.shortfall() is None


@pytest.mark.parametrize(("ending", "slack"), [("mp4", 0), ("mkv", 16)])  # Matroska's clock ticks in milliseconds
def test_a_stretch_is_that_part_of_the_whole(tmp_path, video_writer, ending, slack):
    path, rng = tmp_path / f"clip.{ending}", np.random.default_rng(0)
    # Low tones: a stretch may start between two samples, which noise would show and speech does not.
    video_writer(path, numbered(100), np.convolve(rng.normal(0, 1, 44_100 * 4), np.hanning(400) / 200, "same"))
    whole = ingest.Video(path)
    audio = whole.audio(len(list(whole.images())))
    part = ingest.Video(path, 1.2, 2.4)
    np.testing.assert_array_equal([number(p) for p in part.images()], np.arange(30, 60))
    read = part.audio(30)[1000:-1000]  # the resampler starts anew: its edges differ
    at = 30 * 640 + 1000
    shifts = [np.abs(read - audio[at + k : at + k + len(read)]).max() for k in range(-slack, slack + 1)]
    assert min(shifts) < 0.05 * audio.std()
    assert part.shortfall() is None


def test_stretches_meet_without_gap_or_overlap(tmp_path, video_writer, monkeypatch):
    path = tmp_path / "clip.mp4"
    video_writer(path, numbered(100), np.zeros(44_100 * 4))
    monkeypatch.setattr(stretches, "STRETCH", 1.0)
    parts = stretches.split(Source(path, "a", "s"))
    assert [p.name for p in parts] == ["a_p000", "a_p001", "a_p002", "a_p003"] and parts[-1].end is None
    joined = list(itertools.chain.from_iterable(numbers(path, p.start, p.end) for p in parts))
    np.testing.assert_array_equal(joined, np.arange(100))
    monkeypatch.setattr(stretches, "STRETCH", 3.0)
    assert stretches.split(Source(path, "a", "s")) == [Source(path, "a", "s")]


def test_variable_rate_goes_by_time(tmp_path):
    times = np.asarray([0, 40, 80, 500, 520, 560, 1000])  # ms
    path = tmp_path / "clip.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0"})
        stream.width = stream.height = 64
        stream.pix_fmt, stream.codec_context.time_base = "yuv420p", fractions.Fraction(1, 1000)
        container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for pts, image in zip(times, numbered(7), strict=True):
            frame = av.VideoFrame.from_ndarray(image, format="rgb24")
            frame.pts, frame.time_base = int(pts), fractions.Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    np.testing.assert_array_equal(numbers(path), on_show(times / 1000))


def test_audio_in_a_file_of_its_own(tmp_path, video_writer):
    import soundfile

    rng = np.random.default_rng(0)
    video_writer(tmp_path / "a.mp4", numbered(50), np.zeros(88_200))
    soundfile.write(tmp_path / "a.wav", rng.normal(0, 0.1, 32_000), 16_000)
    read = ingest.Video(tmp_path / "a.mp4", 0.8, None, tmp_path / "a.wav")
    count = sum(1 for _ in read.images())
    expected = soundfile.read(tmp_path / "a.wav")[0][int(0.8 * 16_000) :]
    np.testing.assert_allclose(read.audio(count), expected, atol=1e-3)


def test_a_header_that_lies_is_found_by_counting(tmp_path, video_writer):
    path = tmp_path / "clip.mp4"
    rng = np.random.default_rng(0)
    with av.open(str(path), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=25, options={"g": "5"})
        stream.width = stream.height = 64
        stream.pix_fmt = "yuv420p"
        tone = container.add_stream("aac", rate=48_000, layout="mono")
        for _ in range(100):
            image = rng.integers(0, 255, (64, 64, 3), np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode(None))
        write_silence(container, tone, 4.0)
    whole = ingest.Video(path)
    assert sum(1 for _ in whole.images()) == 100 and whole.shortfall() is None
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    half = ingest.Video(path)
    assert half.header.frames == 100
    assert 20 < sum(1 for _ in half.images()) < 80
    assert "of the 100 images" in half.shortfall()


def test_audio_up_to_where_the_file_breaks_off(tmp_path):
    """Within a packet of audio: it cannot be decoded, those before it can."""
    path, noise = tmp_path / "clip.mp4", np.random.default_rng(0).integers(-5000, 5000, 48_000 * 90 // 25)
    write_with(path, "libx264", "aac", {}, np.arange(90), noise.astype(np.int16), movflags="faststart")
    whole = ingest.Video(path)
    audio = whole.audio(sum(1 for _ in whole.images()))
    with av.open(str(path)) as container:
        packets = [packet for packet in container.demux(audio=0) if packet.size]
    path.write_bytes(path.read_bytes()[: packets[len(packets) // 2].pos + packets[len(packets) // 2].size // 2])
    half = ingest.Video(path)
    count = sum(1 for _ in half.images())
    read = half.audio(count)
    assert 30 < count < 60 and read.shape == (count * schema.SAMPLES_PER_FRAME,)
    np.testing.assert_array_equal(read[: 25 * schema.SAMPLES_PER_FRAME], audio[: 25 * schema.SAMPLES_PER_FRAME])


def test_a_frame_bomb_is_refused_before_decoding(tmp_path, monkeypatch):
    path = tmp_path / "bomb.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = 8192, 8192, "yuv420p"
        container.mux(stream.encode(av.VideoFrame(8192, 8192, "yuv420p")))
        container.mux(stream.encode(None))
    assert path.stat().st_size < 2_000_000
    monkeypatch.setattr(ingest.Video, "_frames", lambda self: pytest.fail("decoded"))
    with pytest.raises(InputError, match="8192x8192; at most 4096"):
        ingest.Video(path)


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "empty"), (b"this is no video" * 100, "not a video"), (bytes(5000), "not a video")]
)
def test_what_is_no_video(tmp_path, content, says):
    (tmp_path / "c.mp4").write_bytes(content)
    with pytest.raises(InputError, match=f"c.mp4: {says}"):
        ingest.Video(tmp_path / "c.mp4")


def test_what_cannot_be_opened(tmp_path):
    with pytest.raises(InputError, match="No such file"):
        ingest.Video(tmp_path / "absent.mp4")
    (tmp_path / "folder.mp4").mkdir()
    os.mkfifo(tmp_path / "pipe.mp4")
    for name in ("folder.mp4", "pipe.mp4"):
        with pytest.raises(InputError, match=f"{name}: not a file"):
            ingest.Video(tmp_path / name)
    (tmp_path / "list.mp4").write_text("#EXTM3U\n#EXTINF:10,\nhttp://localhost/a.ts\n")
    with pytest.raises(InputError, match="list.mp4"):
        ingest.Video(tmp_path / "list.mp4")


def test_no_audio(tmp_path):
    with av.open(str(tmp_path / "c.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.height = stream.width = 64
        stream.pix_fmt = "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    with pytest.raises(InputError, match="no audio"):
        ingest.Video(tmp_path / "c.mp4")
