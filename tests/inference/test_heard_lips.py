"""The lips of the bundled model follow what is heard, however it was recorded. Minutes: the real model compiles."""

import numpy as np
import pytest
import soundfile

from vasa_jax import TalkingFace
from vasa_jax.audio_file import AudioReader
from vasa_jax.weights import BUNDLED

ASSET = "vasa_jax/assets/speech.flac"


def recordings(voice):
    """Name -> samples and how they are stored; what is heard in all of them is the voice."""
    none = np.zeros_like(voice)
    return {
        "turned over": (np.stack([voice, -voice], 1), "PCM_16"),
        "late": (np.stack([voice, np.roll(voice, 11)], 1), "PCM_16"),
        "late and turned over": (np.stack([voice, -np.roll(voice, 11)], 1), "PCM_16"),
        "in the centre": (np.stack([none, none, voice, none, none, none], 1), "PCM_16"),
        "offset": (0.8 * voice + 0.1, "PCM_16"),
        "-40 dB": (voice * 10 ** (-40 / 20), "PCM_16"),
        "-50 dB": (voice * 10 ** (-50 / 20), "PCM_16"),
        "whole numbers": (voice * 32767, "FLOAT"),
    }


@pytest.mark.slow
def test_the_mouth_opens_as_for_the_voice_alone(tmp_path):
    face = TalkingFace.load(BUNDLED)
    voice, rate = soundfile.read(ASSET, dtype="float32")

    def opening(name, samples, subtype):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, samples, rate, subtype=subtype)
        audio = AudioReader(path)
        motion = np.concatenate(list(face.motion.windows(audio.mono(), audio.frames, seed=0)))
        return face.renderer.labels(motion[:, 7:])["mouth"][:, 0]

    alone = opening("alone", voice, "PCM_16")
    for name, (samples, subtype) in recordings(voice).items():
        assert np.corrcoef(opening(name, samples, subtype), alone)[0, 1] >= 0.95, name
