"""Media files are files, and are read behind what is damaged in them; how much that is gets told."""

import av
import numpy as np
import pytest

from data_pipelines.prepare import ingest
from tests.test_media import gradient, write_video
from vasa_jax import containers, media
from vasa_jax.audio_file import AudioReader
from vasa_jax.containers import Damage
from vasa_jax.errors import InputError


def test_damage_is_told_in_one_line():
    damage = Damage(100)
    assert damage.told("silence") is None and damage.share == 0
    for start, length in ((150, 20), (170, 10), (400, 5), (600, 5), (800, 5), (0, 0)):
        damage.add(start, length)
    damage.total = 1000
    assert damage.losses[0] == (150, 30) and damage.share == pytest.approx(0.045)
    assert damage.told("silence") == (
        "0.45 s of the audio damaged (4.5%), at 1.50 s, 4.00 s, 6.00 s and 1 more places; silence"
    )
    damage.check("a.wav")
    damage.add(900, 100)
    with pytest.raises(InputError, match=r"a.wav is damaged: 1.45 s of the audio cannot be decoded \(14%, at most 10%"):
        damage.check("a.wav")


def moving(count):
    return (np.roll(gradient(96, 128), 2 * k, axis=1) for k in range(count))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A video of 100 images that all stand alone, so that one damaged image is one, and its audio."""
    path = tmp_path_factory.mktemp("video") / "v.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mjpeg", rate=25)
        stream.width, stream.height, stream.pix_fmt = 128, 96, "yuvj420p"
        audio = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        for k, image in enumerate(moving(100)):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            tone = (8000 * np.sin(np.arange(640 * k, 640 * (k + 1)) / 9)).astype(np.int16)
            part = av.AudioFrame.from_ndarray(tone[None], format="s16", layout="mono")
            part.sample_rate, part.pts = 16_000, 640 * k
            container.mux(audio.encode(part))
        for each in (stream, audio):
            container.mux(each.encode(None))
    return path


def without(path, target, numbers):
    """A copy in which these packets of the images are zeros."""
    data = bytearray(path.read_bytes())
    with av.open(str(path)) as container:
        for k, packet in enumerate(container.demux(container.streams.video[0])):
            if k in numbers:
                at = data.index(bytes(packet), packet.pos)
                data[at : at + packet.size] = bytes(packet.size)
    target.write_bytes(data)
    return target


def test_a_damaged_image_is_held_from_the_one_before(whole, tmp_path):
    first, reader = list(media.VideoReader(whole)), media.VideoReader(without(whole, tmp_path / "torn.mkv", (50, 51)))
    frames = list(reader)
    for k, (frame, truth) in enumerate(zip(frames, first, strict=True)):
        assert np.array_equal(frame, first[49] if k in (50, 51) else truth), k
    assert reader.damage.told("held") == "2 of 100 images damaged (2.0%), at 2.00 s; held"


def test_too_much_damage_is_refused(whole, tmp_path):
    reader = media.VideoReader(without(whole, tmp_path / "torn.mkv", range(30, 45)))
    list(reader)
    with pytest.raises(InputError, match=r"15 of 100 images cannot be decoded \(15%, at most 10% may be\)"):
        reader.damage.check(reader.path)
    video = ingest.Video(tmp_path / "torn.mkv")
    with pytest.raises(InputError, match="15 of 100 images"):
        list(video.images())


def test_preparing_goes_by_the_same_rule(tmp_path):
    from tests.fuzz_sound import speech_like
    from tests.test_audio_file import write

    audio = AudioReader(write(tmp_path / "s.wav", speech_like(4.0, 16_000)))
    path = write_video(tmp_path / "v.mp4", moving(100), audio)
    with av.open(str(path)) as container:  # a packet of audio from the middle
        packet = [p for p in container.demux(container.streams.audio[0]) if p.size][30]
    data = bytearray(path.read_bytes())
    data[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    path.write_bytes(data)
    video = ingest.Video(path)
    count = sum(1 for _ in video.images())
    heard = video.audio(count)
    (line,) = video.damages()
    assert count == 100 and len(heard) == 64_000 and "of the audio damaged" in line and "silence" in line
    data[len(data) // 3 : 2 * len(data) // 3] = bytes(2 * len(data) // 3 - len(data) // 3)
    path.write_bytes(data)
    with pytest.raises(InputError, match="at most 10% may be"):
        video = ingest.Video(path)
        video.audio(sum(1 for _ in video.images()))


def test_a_name_is_no_address():
    assert containers.url("10:30.mp3") == "file:10:30.mp3"
