"""Sound is never lost without a word, and what is heard is what the model hears."""

import functools
import struct

import av
import numpy as np
import pytest
import soundfile

from tests.damage import overwritten
from tests.fuzz_sound import speech_like, write_aac
from vasa_jax import downmix, mpeg_audio
from vasa_jax.audio_file import AudioReader
from vasa_jax.errors import InputError

RATE = 16_000


@functools.cache
def voice(seconds=12.0):
    return speech_like(seconds, RATE)


def write(path, samples=None, rate=RATE, **options):
    soundfile.write(path, voice() if samples is None else samples, rate, **options)
    return path


def write_av(path, codec, form, times=1):
    return write_aac(path, np.tile(voice(), times), RATE, form, codec)


def model_audio(path):
    return np.concatenate(list(AudioReader(path).mono()))


def alike(a, b):
    n = min(len(a), len(b))
    return np.corrcoef(a[:n], b[:n])[0, 1]


MAKERS = {
    "wav.mp3": lambda path: write(path, format="MP3"),
    "c.aac": lambda path: write_av(path, "aac", "adts"),
    "c.m4a": lambda path: write_av(path, "aac", "mp4"),
    "c.mkv": lambda path: write_av(path, "aac", "matroska", 4),  # read on from the next cluster of 5 s
    "c.flac": lambda path: write(path),
    "c.ogg": lambda path: write(path),
}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("zeros", [False, True])
def test_a_damaged_packet_is_silence_of_its_length(tmp_path, name, zeros):
    """What comes before and behind is where it was, and a line says how much is not."""
    whole = MAKERS[name](tmp_path / name)
    torn = overwritten(whole, tmp_path / f"torn_{name}", 0.6, 600, zeros)
    audio, truth = AudioReader(torn), AudioReader(whole)
    assert abs(audio.seconds - truth.seconds) < (0.13 if name == "c.aac" else 0.02)
    (note,) = audio.notes
    assert "damaged" in note and "silence" in note
    ((start, length),) = audio.damage.losses
    assert 0.2 < start / audio.samples < 0.9 and 0.02 < length / audio.rate < (5.1 if name == "c.mkv" else 1)
    a, b = model_audio(torn), model_audio(whole)
    margin = RATE // 10
    first, last = int(start / audio.rate * RATE), int((start + length) / audio.rate * RATE)
    assert alike(a[: first - margin], b[: first - margin]) > 0.999
    if name != "c.aac":  # nothing tells how many frames of a variable length are missing
        assert alike(a[last + margin :], b[last + margin :]) > 0.98  # a frame of MP3 is five periods of the voice
    assert not a[first + 40 : last - 40].any() or name == "c.ogg"


@pytest.mark.parametrize("name", ["wav.mp3", "c.aac", "c.m4a", "c.flac", "c.ogg"])
def test_more_than_a_tenth_is_refused_with_the_figure(tmp_path, name):
    whole = MAKERS[name](tmp_path / name)
    size = whole.stat().st_size
    torn = overwritten(whole, tmp_path / f"torn_{name}", 0.4, size // 4, zeros=True)
    with pytest.raises(InputError, match=r"damaged: .* s of the audio cannot be decoded \(\d\d%, at most 10%"):
        AudioReader(torn)


def test_junk_before_the_first_frame_is_skipped(tmp_path):
    whole = MAKERS["wav.mp3"](tmp_path / "whole.mp3")
    junk = np.random.default_rng(0).bytes(3000)
    for name in ("junk.mp3", "named_so.wav"):
        (tmp_path / name).write_bytes(junk + whole.read_bytes())
        audio = AudioReader(tmp_path / name)
        assert audio.samples == AudioReader(whole).samples
        assert audio.notes == ["3000 bytes before the first frame are no audio and are skipped"]
    # A tag that claims more than it holds is no junk; neither is one behind the audio.
    tagged = b"ID3\x03\0\0\0\0\x02\0" + bytes(256) + whole.read_bytes() + b"TAG" + bytes(125)
    (tmp_path / "tagged.mp3").write_bytes(tagged)
    assert AudioReader(tmp_path / "tagged.mp3").notes == []


def test_frames_are_found(tmp_path):
    found = mpeg_audio.find_frames(MAKERS["wav.mp3"](tmp_path / "a.mp3"))
    assert found.form == "mp3" and not found.holes and not found.junk and found.seconds == 576 / RATE
    assert mpeg_audio.find_frames(MAKERS["c.aac"](tmp_path / "a.aac")).form == "aac"
    (tmp_path / "ff.mp3").write_bytes(b"\xff" * 100_000)
    assert mpeg_audio.find_frames(tmp_path / "ff.mp3") is None


def test_chained_ogg_is_read_whole(tmp_path):
    for name, options in (("a.ogg", {}), ("a.opus", {"format": "OGG", "subtype": "OPUS"})):
        one, other = write(tmp_path / name, voice(2.0), **options), tmp_path / f"other_{name}"
        write(other, voice(2.0)[::-1].copy(), 24_000 if name == "a.opus" else 16_000, **options)
        (tmp_path / f"chain_{name}").write_bytes(one.read_bytes() + other.read_bytes())
        seconds = AudioReader(one).seconds + AudioReader(other).seconds
        chained = AudioReader(tmp_path / f"chain_{name}")
        assert abs(chained.seconds - seconds) < 0.05 and not chained.notes


def patched(path, offset, value):
    data = bytearray(path.read_bytes())
    data[offset : offset + len(value)] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("claimed", [0, 1000, 0x7FFFFFFF, 0xFFFFFFFF])
def test_a_length_that_lies_is_not_believed(tmp_path, claimed):
    """A recorder that was cut off, a stream, a header from the middle of the recording."""
    wav = write(tmp_path / "a.wav", subtype="PCM_16")
    at = wav.read_bytes().index(b"data") + 4
    truth = model_audio(wav)
    patched(wav, at, struct.pack("<I", claimed))
    patched(wav, 4, struct.pack("<I", claimed))
    audio = AudioReader(wav)
    assert audio.samples == len(voice()) and np.array_equal(model_audio(wav), truth)
    assert bool(audio.notes) == (claimed == 1000)
    aiff = write(tmp_path / "a.aiff", subtype="PCM_16")
    at = aiff.read_bytes().index(b"SSND") + 4
    assert AudioReader(patched(aiff, at, struct.pack(">I", claimed))).samples == len(voice())


def test_what_follows_the_audio_is_no_audio(tmp_path):
    wav = write(tmp_path / "a.wav", subtype="PCM_16")
    whole = wav.read_bytes()
    for tail in (b"LIST" + struct.pack("<I", 8) + b"INFOabcd", b"TAG" + b"x" * 125, bytes(500)):
        wav.write_bytes(whole + tail)
        assert AudioReader(wav).samples == len(voice()) and not AudioReader(wav).notes


def test_a_file_that_was_cut_off_says_so(tmp_path):
    for name in ("a.wav", "a.flac"):
        path = write(tmp_path / name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        audio = AudioReader(path)
        assert 5 < audio.seconds < 7 and "12.00 s" in audio.notes[-1]


def test_an_ogg_file_without_its_end_says_so(tmp_path):
    whole = write(tmp_path / "a.ogg")
    assert AudioReader(whole).notes == []
    size = whole.stat().st_size
    (tmp_path / "cut.ogg").write_bytes(whole.read_bytes()[: 2 * size // 3])
    torn = overwritten(whole, tmp_path / "torn.ogg", 1 - 50 / size, 20)
    for path in (tmp_path / "cut.ogg", torn):
        assert any("last page is missing or damaged" in note for note in AudioReader(path).notes)


# ---------------------------------------------------------------- what is heard


def test_files_that_are_well_are_the_plain_mean(tmp_path):
    """To the bit: nothing that the model learned with changes."""
    stereo = np.stack([voice(), 0.5 * voice() + 0.01 * np.random.default_rng(0).standard_normal(len(voice()))], 1)
    path = write(tmp_path / "a.wav", stereo.astype(np.float32), subtype="FLOAT")
    assert AudioReader(path).needs == downmix.Needs()
    assert np.array_equal(model_audio(path), stereo.astype(np.float32).mean(1, dtype=np.float32))


@pytest.mark.parametrize("right", [-1.0, -0.9])
def test_channels_that_cancel_are_heard(tmp_path, right):
    path = write(tmp_path / "a.wav", np.stack([voice(), right * voice()], 1))
    audio = model_audio(path)
    assert alike(audio, voice()) > 0.99 and abs(np.std(audio) / np.std(voice()) - 1) < 0.1
    as_given = np.concatenate(list(AudioReader(path).blocks()))
    assert np.allclose(as_given[:, 1], right * voice(), atol=1e-4)


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize("late", [4, 11, 32])
def test_a_channel_that_comes_late_takes_no_band_away(tmp_path, late, sign):
    path = write(tmp_path / "a.wav", np.stack([voice(), sign * np.roll(voice(), late)], 1))
    assert bands_lost(model_audio(path)) < 2  # dB
    assert bands_lost((voice() + sign * np.roll(voice(), late)) / 2) > 5


def bands_lost(audio):
    """Decibels that the weakest of 24 bands lacks of the voice's, levels apart."""
    edges = np.geomspace(100, 7000, 25) * len(voice()) / RATE

    def power(samples):
        bins = np.square(np.abs(np.fft.rfft(samples, len(voice()))))
        return 10 * np.log10(np.add.reduceat(bins, edges.astype(int))[:-1])

    lost = power(voice()) - power(audio)
    return (lost - np.median(lost)).max()


def test_a_voice_among_six_channels_is_as_loud_as_alone(tmp_path):
    """Of every place; ITU-R BS.775's plain downmix takes 3 dB from the centre. The low one plays no speech."""
    for channel in (0, 1, 2, 4, 5):
        audio = np.zeros((len(voice()), 6), np.float32)
        audio[:, channel] = voice()
        reader = AudioReader(write(tmp_path / f"{channel}.wav", audio))
        track = np.concatenate(list(reader.blocks()))
        assert reader.channels == 2 and alike(model_audio(reader.path), voice()) > 0.999
        loss = 20 * np.log10(np.sqrt(np.square(track).sum(1).mean()) / np.std(voice()))
        assert -3.2 < loss < 1.2, channel
    with av.open(str(tmp_path / "c.m4a"), "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=RATE, layout="5.1")
        stream.bit_rate = 256_000
        audio = np.zeros((6, len(voice())), np.float32)
        audio[2] = voice()
        frame = av.AudioFrame.from_ndarray(audio, format="fltp", layout="5.1")
        frame.sample_rate, frame.pts = RATE, 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert np.std(model_audio(tmp_path / "c.m4a")) > 0.7 * np.std(voice())


def test_channels_that_add_up_to_more_than_full_scale_are_turned_down(tmp_path):
    loud = voice() / np.abs(voice()).max()
    track = np.concatenate(list(AudioReader(write(tmp_path / "a.wav", np.repeat(loud[:, None], 6, 1))).blocks()))
    assert np.abs(track).max() <= 1 and alike(track[:, 0], voice()) > 0.999


@pytest.mark.parametrize("level", [-30, -40, -50])
def test_quiet_speech_is_turned_up_and_silence_is_not(tmp_path, level):
    gain = np.float32(10 ** (level / 20) / np.abs(voice()).max())
    reader = AudioReader(write(tmp_path / "a.wav", gain * voice(), subtype="PCM_16"))
    audio = model_audio(reader.path)
    energy = np.sqrt(np.square(audio.reshape(-1, 160)).mean(1))
    assert -17 < 20 * np.log10(np.sort(energy)[-100:].mean()) < -8
    assert np.abs(np.concatenate(list(reader.blocks()))).max() < 2 * 10 ** (level / 20)  # the track is as given
    noise = (gain * 0.1 * np.random.default_rng(0).standard_normal(len(voice()))).astype(np.float32)
    assert AudioReader(write(tmp_path / "noise.wav", noise, subtype="FLOAT")).needs.gain == 1
    assert AudioReader(write(tmp_path / "zeros.wav", 0 * noise)).needs == downmix.Needs()


def test_a_constant_offset_is_not_heard(tmp_path):
    path = write(tmp_path / "a.wav", 0.5 * voice() + np.float32(0.1))
    assert AudioReader(path).needs.offset
    audio = model_audio(path)
    assert abs(audio.mean()) < 1e-3 and np.abs(audio[:20]).max() < 0.01 and alike(audio, voice()) > 0.995


def test_whole_numbers_called_floats_are_recognised(tmp_path):
    for bits in (16, 24, 32):
        path = write(tmp_path / f"{bits}.wav", voice() * 2.0 ** (bits - 1), subtype="DOUBLE" if bits > 16 else "FLOAT")
        (note,) = AudioReader(path).notes
        assert f"{2 ** (bits - 1)} is full scale" in note
        assert np.allclose(model_audio(path), voice(), atol=1e-6)
    hot = AudioReader(write(tmp_path / "hot.wav", 4 * voice(), subtype="FLOAT"))  # headroom is what floats are for
    assert hot.notes == [] and hot.scale == 1
    broken = voice().copy()
    broken[1000] = 1e30
    assert AudioReader(write(tmp_path / "broken.wav", broken, subtype="FLOAT")).scale == 1


def test_a_name_is_a_name_and_not_an_address(tmp_path, monkeypatch):
    whole = MAKERS["wav.mp3"](tmp_path / "whole.mp3").read_bytes()
    monkeypatch.chdir(tmp_path)
    for name in ("10:30.mp3", "http:a.mp3", "file:b.mp3", "pipe:1", "a?b#c%20.mp3", "\udce9t\udce9.mp3"):
        (tmp_path / name).write_bytes(whole)
        assert AudioReader(name).seconds == pytest.approx(12.0, abs=0.1), name
