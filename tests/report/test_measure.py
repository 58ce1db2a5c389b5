import numpy as np
import pytest

from vasa_jax.report import measure


def _readings(mouth, loudness):
    zero = np.zeros(len(mouth))
    return measure.Readings(np.asarray(loudness), np.asarray(mouth), zero, zero, zero, zero)


def test_loudness_is_below_the_loudest_frame_and_ends_at_the_floor():
    tone = np.sin(np.arange(3 * 640) * 0.3).astype(np.float32)
    tone[640:1280] *= 0.1
    tone[1280:] = 0
    found = measure.loudness(tone, 4)  # one frame more than there is audio: silence
    # A tenth of the amplitude is 20 dB; the tone has no whole number of periods in a frame, hence the tolerance.
    np.testing.assert_allclose(found, [0, -20, measure.FLOOR, measure.FLOOR], atol=0.1)
    assert (measure.loudness(np.zeros(640, np.float32), 1) == measure.FLOOR).all()


def test_correlation_finds_the_lag_and_says_when_there_is_nothing_to_find():
    a = np.random.default_rng(0).normal(size=60)
    assert measure.correlation(a[:-2], a[2:]) == pytest.approx(1)
    assert measure.correlation(a[:-5], a[5:]) < 0.5
    assert measure.correlation(a, np.ones(60)) is None


def test_summary_keeps_away_from_the_edges_of_speech():
    loudness = np.repeat([0.0, measure.FLOOR, 0.0], 20)
    mouth = np.repeat([0.04, 0.0, 0.04], 20)
    mouth[20:23] = mouth[37:40] = 0.04  # lips that close late and open early
    found = measure.summary(_readings(mouth, loudness))
    assert found["mouth_speaking"] == pytest.approx(0.04) and found["mouth_pausing"] == 0
    assert measure.summary(_readings(mouth, np.zeros(60)))["mouth_pausing"] is None
