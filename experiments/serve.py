"""Serves talking faces: the live page, its WebSocket and WebRTC, and videos as jobs over REST."""

import importlib.util
import os
import tempfile
from pathlib import Path
from typing import Any

from absl import flags

from experiments.common import app
from vasa_jax import paths
from vasa_jax.errors import InputError, UsageError

PORT = flags.DEFINE_integer("port", 8080, "TCP port; 0 takes a free one, which is printed.")
HOST = flags.DEFINE_string("host", "127.0.0.1", "Address to listen at. Others than this machine's own need --token.")
CHECKPOINT = flags.DEFINE_string("checkpoint", "bundled", "Folder of a release, or 'bundled'.")
SPEECH_MODEL = flags.DEFINE_string(
    "speech_model", None, "Folder of the wav2vec2 model that the release listens through; the bundled one needs none."
)
TOKEN = flags.DEFINE_string(
    "token", None, "Bearer token that every request must have; by default the environment's VASA_TOKEN."
)
SESSIONS = flags.DEFINE_integer("sessions", 4, "Live sessions at once; the next one is told to wait.")
FOLDER = flags.DEFINE_string(
    "folder", None, "For uploads and videos; emptied at start. By default one of its own in the user's cache."
)
LIVE_SECONDS = flags.DEFINE_integer("live_seconds", 3600, "Seconds that a live session may last.")
_NEEDED = ("fastapi", "uvicorn", "multipart", "websockets")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def _settings() -> Any:
    """All that can be told from the flags, before anything heavy is imported."""
    missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        raise UsageError(f"vasa-serve needs {', '.join(missing)}: pip install 'vasa_jax[serve]'")
    token = TOKEN.value if TOKEN.value is not None else os.environ.get("VASA_TOKEN", "")
    if HOST.value not in _LOOPBACK and not token:
        raise UsageError(f"--host={HOST.value} can be reached by others: give --token=SECRET as well")
    if not 0 <= PORT.value <= 65535:
        raise UsageError(f"--port={PORT.value}: give a number from 0 to 65535")
    if not 1 <= SESSIONS.value <= 256:
        raise UsageError(f"--sessions={SESSIONS.value}: give a number from 1 to 256")
    if LIVE_SECONDS.value < 1:
        raise UsageError(f"--live_seconds={LIVE_SECONDS.value}: give at least 1")
    from vasa_jax.serve.settings import Settings

    limits = {"sessions": SESSIONS.value, "live_seconds": float(LIVE_SECONDS.value)}
    return Settings(token=token, folder=Path(FOLDER.value) if FOLDER.value else _folder(), **limits)


def _folder() -> Path:
    """One a port, so that what a killed server left is found by the next."""
    home = paths.user_folder("XDG_CACHE_HOME", ".cache")
    root = home / "vasa_jax" if home is not None else Path(tempfile.gettempdir())
    return root / f"serve_{PORT.value}"


def _listen() -> Any:
    """The socket, before anything is loaded: a port that is taken is told at once."""
    import socket

    try:
        family = socket.getaddrinfo(HOST.value, PORT.value, type=socket.SOCK_STREAM)[0][0]
        sock = socket.socket(family, socket.SOCK_STREAM)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((HOST.value, PORT.value))
    except OSError as error:
        raise InputError(f"--host={HOST.value} --port={PORT.value} cannot be listened at ({error.strerror})") from None
    return sock


def main() -> dict[str, Any]:
    """Serves until it is stopped."""
    settings = _settings()
    sock = _listen()
    import uvicorn

    from vasa_jax.inference.talking_face import TalkingFace
    from vasa_jax.serve import uploads
    from vasa_jax.serve.app import create_app

    try:
        uploads.sweep(settings.folder)
    except OSError as error:
        raise InputError(f"--folder={settings.folder}: {getattr(error, 'strerror', None) or error}") from None
    app.compile_cache()
    face = TalkingFace.load(CHECKPOINT.value, SPEECH_MODEL.value)
    face.machine()  # a release without a motion model is told now
    most = int(1.4 * settings.portrait_bytes) + (1 << 16)
    options = {"log_level": "warning", "access_log": False, "ws_max_size": most, "timeout_graceful_shutdown": 3}
    config = uvicorn.Config(create_app(face, settings), lifespan="on", **options)
    host, port = sock.getsockname()[:2]
    print(f"http://{host}:{port} (warming up; /healthz answers 200 when it is ready)", flush=True)
    uvicorn.Server(config).run(sockets=[sock])
    return {"host": host, "port": port}


HELP = app.Help(
    example="--port=8080 --sessions=2",
    groups={
        "where": (HOST, PORT, TOKEN),
        "weights": (CHECKPOINT, SPEECH_MODEL),
        "limits": (SESSIONS, LIVE_SECONDS, FOLDER),
    },
)


def run() -> None:
    """Console script."""
    app.run(main, info=HELP)


if __name__ == "__main__":
    run()
