"""A session of stand-ins for the agents."""

import numpy as np
import pytest

from tests.inference.stand_ins import live_face
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.portrait import FaceBox


@pytest.fixture
def session(monkeypatch, tmp_path):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "keys"))
    monkeypatch.setattr(portraits, "find_face", lambda image, **_: FaceBox(45.0, 45.0, 40.0))
    return live_face().stream(np.full((90, 90, 3), 100, np.uint8))
