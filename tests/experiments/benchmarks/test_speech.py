"""The suite on the smallest folder: what it reports; how fast anything is, is not tested."""

import numpy as np
import pytest
import soundfile

from experiments.benchmarks import speech
from tests.models.audio.speech_folder import write_folder
from vasa_jax.errors import UsageError
from vasa_jax.models.audio.speech_model import Pieces


def test_it_tells_speed_and_difference(tmp_path, monkeypatch):
    monkeypatch.setattr(speech, "PIECES", (Pieces(5, 4, 2), Pieces(5, 30, 30)))
    audio = 0.1 * np.random.default_rng(0).standard_normal(16_000)
    soundfile.write(tmp_path / "a.wav", audio.astype(np.float32), 16_000)
    options = {"speech_model": str(write_folder(tmp_path / "model")), "audio": str(tmp_path / "a.wav"), "rounds": 3}
    report = speech.run(options)
    assert report["frames"] == 25 and report["states"] == 3 and report["whole"]["seconds_of_sound_per_second_p50"] > 0
    near, far = (np.mean(row["relative_difference"]) for row in report["pieces"])
    assert near > 0.01 and far < 1e-4  # pieces that hear everything are the whole
    assert report["pieces"][0]["latency_ms"] == 280


def test_a_recording_is_asked_for(tmp_path):
    with pytest.raises(UsageError, match="--audio is missing"):
        speech.run({"audio": None})
    soundfile.write(tmp_path / "a.wav", np.zeros(8000, np.float32), 16_000)
    with pytest.raises(UsageError, match="shorter than a second"):
        speech.read(str(tmp_path / "a.wav"))
