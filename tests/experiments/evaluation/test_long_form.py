"""The suite on a generator whose drift and seams are known."""

import itertools

import numpy as np
import pytest

from experiments.evaluation import long_form as suite


class Generator:
    """Noise in windows of 44 frames; `seam` is added at every joint; checks that the audio goes on and on."""

    mean, std = np.zeros(3), np.ones(3)

    def __init__(self, seam=0.0):
        self.seam = seam

    def windows(self, chunks, frames, seed=0):
        rng, level = np.random.default_rng(seed), 0.0
        for at in range(0, frames, 44):
            assert sum(len(chunk) for chunk in itertools.islice(chunks, 2)) == 2 * suite.RATE
            level += self.seam * rng.choice([-1, 1])
            yield level + rng.standard_normal((min(44, frames - at), 3))


def test_minutes_without_drift_or_seam(capsys):
    loop = suite.speech([np.zeros(40_000), np.zeros(24_000)])
    assert len(loop) == 60 * suite.RATE
    report = suite.run(Generator(), loop, 120)
    assert report["windows"] == -(-3000 // 44) and report["hop"] == 44
    assert report["whole"]["drift"]["blocks"] == 3 and report["whole"]["drift"]["p_value"] > 0.05
    assert report["whole"]["jumps"]["change"]["mean"] == pytest.approx(1, abs=0.2)
    assert len(report["memory"]["resident_mib_by_tenth"]) == 10
    suite.show(report)
    assert "drift p" in capsys.readouterr().out


def test_seams_show():
    report = suite.run(Generator(seam=5.0), suite.speech([np.zeros(16_000)]), 60)
    assert report["whole"]["jumps"]["change"]["low"] > 1.5 and "first_minute" not in report


def test_there_is_speech_without_any_data():
    audio = suite.synthetic_speech(2)
    assert len(audio) == 2 * suite.RATE and np.abs(audio).max() > 0.1
