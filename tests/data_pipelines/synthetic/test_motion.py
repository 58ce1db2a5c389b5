"""The performance: lips follow sounds, eyes blink, heads stay within bounds."""

import numpy as np

from data_pipelines import schema
from data_pipelines.synthetic import expression_basis, motion, voice
from data_pipelines.synthetic import phonemes as ph


def _tracks(sounds):
    speech = voice.synthesise(sounds, seed=0)
    frames = int(speech.segments[-1][2] * schema.FRAME_RATE)
    return motion.mouth_tracks(speech, frames), voice.frame_phonemes(speech.segments, frames)


def test_lips_close_in_silence_and_in_bilabials():
    tracks, numbers = _tracks(["sil"] * 4 + ["aa", "m", "aa", "b", "iy", "p", "ao"] + ["sil"] * 4)
    assert tracks["seal"][[0, 1, 2, -3, -2, -1]].min() > 0.95
    for name in ("m", "b", "p"):
        # A plosive of 70 ms fills a frame or two; its closure shows in one of them at least.
        at = np.flatnonzero(numbers == ph.INDEX[name])
        assert tracks["seal"][max(at[0] - 1, 0) : at[-1] + 1].max() > 0.8
    assert tracks["seal"][numbers == ph.INDEX["aa"]].min() < 0.4


def test_shapes_follow_vowels():
    tracks, numbers = _tracks(["sil", "aa", "aa", "sil", "uw", "uw", "sil", "iy", "iy", "sil"])
    mean = {v: {k: t[numbers == ph.INDEX[v]].mean() for k, t in tracks.items()} for v in ("aa", "uw", "iy")}
    assert mean["aa"]["jaw"] > mean["iy"]["jaw"]
    assert mean["uw"]["round"] > 0.6 > 0.2 > mean["iy"]["round"]
    assert mean["iy"]["wide"] > 0.4 > mean["uw"]["wide"]


def test_blinks_come_every_few_seconds():
    closure = motion.blinks(np.random.default_rng(0), 25 * 600)
    starts = np.flatnonzero((closure[1:] > 0) & (closure[:-1] == 0))
    assert 600 / 5 < len(starts) < 600 / 2
    assert closure.max() == 1


def test_emotions_are_distributions():
    rng = np.random.default_rng(0)
    drawn = np.array([motion.sample_emotion(rng) for _ in range(300)])
    np.testing.assert_allclose(drawn.sum(1), 1)
    assert drawn.min() >= 0
    assert (drawn.max(0) > 0.4).all()


def test_performances_are_bounded_and_differ_by_seed():
    speech = voice.synthesise(voice.babble(np.random.default_rng(0), 2.0), seed=0)
    first, second = (motion.perform(speech, 50, np.random.default_rng(s)) for s in (1, 2))
    for p in (first, second):
        assert np.abs(p.rotation[:, 1]).max() <= 0.75
        assert p.expression.shape == (50, len(expression_basis.NAMES))
        assert np.isfinite(p.expression).all()
    assert np.abs(first.rotation - second.rotation).max() > 0.01


def test_some_happy_people_keep_their_teeth_shown_in_pauses():
    """Portraits smile with parted lips while nobody speaks; happy clips do, and others close their mouths."""
    speech = voice.synthesise(["sil"] * 12, seed=0)
    parted = {True: [], False: []}
    for seed in range(60):
        clip = motion.perform(speech, 12, np.random.default_rng(seed))
        at = dict(zip(expression_basis.NAMES, clip.expression.mean(0), strict=True))
        happy = clip.emotion[schema.EMOTIONS.index("happiness")] > 0.5
        parted[happy].append(at["upper_lip"] > 0.3 and at["seal"] < 0.5 * at["jaw"] + 1e-6)
    assert np.mean(parted[True]) > 0.5
    disgust_only = np.mean(parted[False])
    assert disgust_only < 0.15
