"""Spelling to sound."""

import pytest

from data_pipelines.synthetic import phonemes as ph


@pytest.mark.parametrize(
    ("word", "sounds"),
    [
        ("moon", "m uw n"),
        ("ship", "sh ih p"),
        ("made", "m eh ih d"),
        ("thing", "th ih ng"),
        ("Lake", "l eh ih k"),
        ("hello", "hh eh l ax uh"),
    ],
)
def test_words(word, sounds):
    assert ph.spell(word) == sounds.split()


def test_punctuation_is_silence_and_every_sound_is_known():
    sounds = ph.read("Hello, quick brown fox. Jumps over the lazy dog!")
    assert sounds[0] == sounds[-1] == "sil"
    assert sounds.count("sil") >= 5
    assert set(sounds) <= set(ph.NAMES)


def test_tables_use_known_phonemes_only():
    for entry in (*ph.ONSETS, *ph.CODAS, *ph.VOWELS, *ph.WORDS.values()):
        assert set(entry.split()) <= set(ph.NAMES), entry
    assert ph.NAMES[0] == "sil"
