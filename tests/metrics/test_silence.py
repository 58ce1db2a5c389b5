import numpy as np
import pytest

from vasa_jax.metrics.silence import SETTLING, opening_in_silence


def test_means_of_speech_and_settled_silence():
    opening = np.concatenate([np.full(50, 0.2), np.full(SETTLING, 0.2), np.full(20, 0.05)])
    spoken = np.arange(75) < 50
    found = opening_in_silence(opening, spoken, ~spoken)
    assert found == pytest.approx({"speech": 0.2, "silence": 0.05, "ratio": 0.25})


def test_pauses_too_short_to_settle_say_nothing():
    spoken = np.ones(50, bool)
    spoken[20 : 20 + SETTLING] = False
    found = opening_in_silence(np.full(50, 0.1), spoken, ~spoken)
    assert found["speech"] == pytest.approx(0.1) and np.isnan(found["silence"])


def test_a_pause_at_the_start_must_settle_too():
    silent = np.arange(30) < 8
    opening = np.where(np.arange(30) < SETTLING, 1.0, 0.1)
    assert opening_in_silence(opening, ~silent, silent)["silence"] == pytest.approx(0.1)
