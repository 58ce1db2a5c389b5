"""The synthesiser says what it is told, when it says it does."""

import numpy as np
import pytest

from data_pipelines.schema import SAMPLE_RATE
from data_pipelines.synthetic import phonemes as ph
from data_pipelines.synthetic import voice


def _part(speech, name):
    (begin, end), *_ = [(b, e) for n, b, e in speech.segments if ph.NAMES[n] == name]
    return speech.audio[
        int((begin + 0.25 * (end - begin)) * SAMPLE_RATE) : int((end - 0.25 * (end - begin)) * SAMPLE_RATE)
    ]


def test_repeatable_bounded_and_silent_in_silence():
    sounds = ["sil", "sil", "aa", "s", "iy", "sil", "sil"]
    a, b = voice.synthesise(sounds, seed=4), voice.synthesise(sounds, seed=4)
    np.testing.assert_array_equal(a.audio, b.audio)
    assert a.audio.dtype == np.float32
    assert np.abs(a.audio).max() <= 1
    assert abs(len(a.audio) / SAMPLE_RATE - a.segments[-1][2]) < 0.01
    assert np.abs(_part(a, "sil")).max() < 0.02 * np.abs(_part(a, "aa")).max()


@pytest.mark.parametrize("name", ["aa", "iy", "uw", "eh"])
def test_vowels_have_their_first_formants(name):
    speech = voice.synthesise(["sil", name, name, name, name, "sil"], voice.Speaker(pitch=90, breath=0.0), seed=1)
    begin, end = speech.segments[2][1], speech.segments[3][2]
    piece = speech.audio[int(begin * SAMPLE_RATE) : int(end * SAMPLE_RATE)]
    spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 16384)) ** 2
    smooth = np.convolve(spectrum, np.hanning(150), "same")
    hertz = np.fft.rfftfreq(16384, 1 / SAMPLE_RATE)
    low = (hertz > 200) & (hertz < 1000)
    first = hertz[low][np.argmax(smooth[low])]
    # Harmonics lie 90 Hz apart, so a peak is known to about one of them.
    assert abs(first - ph.PHONEMES[name].formants[0]) < 130


def test_fricatives_are_high_and_vowels_low():
    speech = voice.synthesise(["sil", "aa", "s", "aa", "sil"], seed=2)

    def centre(x):
        power = np.abs(np.fft.rfft(x)) ** 2
        return (np.fft.rfftfreq(len(x), 1 / SAMPLE_RATE) * power).sum() / power.sum()

    assert centre(_part(speech, "s")) > 4000 > 1500 > centre(_part(speech, "aa"))


def test_pitch_follows_the_speaker():
    def period(pitch):
        speech = voice.synthesise(["aa"] * 6, voice.Speaker(pitch=pitch, lively=0.0, breath=0.0), seed=1)
        x = speech.audio[4000:8000].astype(float)
        x -= x.mean()
        correlation = np.correlate(x, x, "full")[len(x) :]
        return np.argmax(correlation[40:400]) + 41

    assert SAMPLE_RATE / period(100) == pytest.approx(100, rel=0.05)
    assert SAMPLE_RATE / period(200) == pytest.approx(200, rel=0.05)


def test_frame_phonemes_match_the_segments():
    speech = voice.synthesise("Every word.", seed=0)
    numbers = voice.frame_phonemes(speech.segments, 60)
    assert numbers.shape == (60,)
    assert (numbers[int(speech.segments[-1][2] * 25) + 1 :] == 0).all()
    for i in (10, 20):
        (number,) = [n for n, b, e in speech.segments if b <= (i + 0.5) / 25 < e]
        assert numbers[i] == number


def test_babble_is_long_enough_and_unknown_sounds_are_named():
    sounds = voice.babble(np.random.default_rng(0), 3.0)
    assert sum(ph.PHONEMES[p].duration for p in sounds) >= 3.0
    with pytest.raises(ValueError, match="qq"):
        voice.synthesise(["qq"])
