import collections

import pytest

from data_pipelines.crema_d import crema_d
from tests.data_pipelines.files import touch
from vasa_jax.errors import InputError


def test_names_say_actor_emotion_and_level(tmp_path):
    touch(
        tmp_path,
        "VideoFlash/1001_DFA_ANG_XX.flv",
        "VideoFlash/1002_IEO_HAP_HI.flv",
        "VideoFlash/1007_IEO_NEU_XX.flv",
        "VideoFlash/1040_ITH_SAD_X.flv",
        "VideoFlash/readme.flv",
        "AudioWAV/1001_DFA_ANG_XX.wav",
    )
    sources = crema_d.find_sources(tmp_path)
    assert [(s.name, s.speaker, s.split, s.emotion, s.intensity) for s in sources] == [
        ("1001_DFA_ANG_XX", "1001", "test", "anger", 0.5),
        ("1002_IEO_HAP_HI", "1002", "train", "happiness", 0.8),
        ("1007_IEO_NEU_XX", "1007", "validation", "neutral", 1.0),
        ("1040_ITH_SAD_X", "1040", "train", "sadness", 0.5),
    ]
    assert all(s.audio is None for s in sources)


def test_all_actors_are_split(tmp_path):
    touch(tmp_path, *(f"VideoFlash/{actor}_IEO_NEU_XX.flv" for actor in range(1001, 1092)))
    counts = collections.Counter(s.split for s in crema_d.find_sources(tmp_path))
    assert counts == {"train": 76, "validation": 5, "test": 10}


def test_audio_without_images(tmp_path):
    touch(tmp_path, "AudioWAV/1001_DFA_ANG_XX.wav")
    with pytest.raises(InputError, match="no video.*VideoFlash.*git lfs clone"):
        crema_d.find_sources(tmp_path)
