"""Credentials of other makers, and what a bad key leads to."""

import numpy as np
import pytest

from vasa_jax import media
from vasa_jax.provenance import credentials, keys
from vasa_jax.provenance.verify import verify


@pytest.fixture(autouse=True)
def own_keys(tmp_path_factory, monkeypatch):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path_factory.mktemp("keys") / "keys"))


def video(path):
    with media.VideoWriter(path) as writer:
        writer.write(np.zeros((64, 64, 3), np.uint8))
    return path


def test_a_foreign_manifest_is_not_our_mark(tmp_path, monkeypatch):
    path = video(tmp_path / "v.mp4")
    with monkeypatch.context() as others:
        others.setattr(credentials, "ASSERTION", "org.example.other")
        credentials.sign(path, {"by": "others"}, keys.signing_key(), "1")
    verdict = verify(path)
    assert not verdict.marked and "not of vasa_jax" in verdict.text


def test_reading_an_unsigned_file(tmp_path):
    with pytest.raises(credentials.NoCredentials):
        credentials.read(video(tmp_path / "v.mp4"))


def test_signing_again_replaces_the_mark(tmp_path):
    path = video(tmp_path / "v.mp4")
    for seed in (1, 2):
        credentials.sign(path, {"seed": seed}, keys.signing_key(), "1")
    assert verify(path).intact
    assert credentials.read(path).generation == {"seed": 2}
