"""A server of stand-ins: real engine, real messages, real encoder, small models. Skips where the extra is missing."""

import pytest

pytest.importorskip("fastapi", reason="needs the extra `serve`: pip install 'vasa_jax[serve]'")
pytest.importorskip("httpx", reason="needs httpx, the test client's")

import numpy as np
from fastapi.testclient import TestClient

from tests.inference.stand_ins import live_face
from vasa_jax.inference import portrait as portraits
from vasa_jax.inference.portrait import FaceBox
from vasa_jax.serve.app import create_app
from vasa_jax.serve.engine import Engine
from vasa_jax.serve.settings import Settings

IMAGE = np.full((90, 90, 3), 100, np.uint8)


@pytest.fixture(scope="session")
def look():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(portraits, "find_face", lambda image, **_: FaceBox(45.0, 45.0, 40.0))
        seen = live_face().look(IMAGE)
    return seen  # with faces found by themselves again: the rest of the suite looks for some


@pytest.fixture(autouse=True)
def own_keys(tmp_path, monkeypatch):
    monkeypatch.setenv("VASA_KEYS", str(tmp_path / "keys"))


@pytest.fixture
def engine(look):
    """Of four seats, ready."""
    made = Engine(live_face(), sessions=4, warm=lambda: look)
    made.start()
    assert made.until_ready(60)
    yield made
    made.stop()


@pytest.fixture
def found(monkeypatch):
    """A face in every image."""
    monkeypatch.setattr(portraits, "find_face", lambda image, **_: FaceBox(45.0, 45.0, 40.0))


@pytest.fixture
def serve(look, tmp_path, found):
    """serve(**settings) -> a test client whose server is ready."""
    clients = []

    def start(sessions=4, **settings):
        made = Engine(live_face(), sessions=sessions, warm=lambda: look)
        app = create_app(live_face(), Settings(sessions=sessions, folder=tmp_path / "serve", **settings), made)
        client = TestClient(app, headers={"host": "testserver"})
        client.__enter__()
        clients.append(client)
        assert made.until_ready(60)
        client.engine = made
        return client

    yield start
    for client in clients:
        client.__exit__(None, None, None)
