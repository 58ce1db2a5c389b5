"""A server of stand-ins that listens at a port of this machine, in a thread."""

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import uvicorn

from vasa_jax.serve.app import create_app
from vasa_jax.serve.engine import Engine
from vasa_jax.serve.settings import Settings


class _Server(uvicorn.Server):
    """Tells its address."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: Any = None) -> None:
        await super().startup(sockets)
        self.url = "http://{}:{}".format(*self.servers[0].sockets[0].getsockname())
        self.ready.set()


@contextlib.contextmanager
def served(face: Any, settings: Settings, engine: Engine) -> Iterator[str]:
    """Its address, when the engine is warm."""
    options = {"log_level": "error", "timeout_graceful_shutdown": 1, "ws_max_size": 2 * settings.portrait_bytes}
    server = _Server(uvicorn.Config(create_app(face, settings, engine), host="127.0.0.1", port=0, **options))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert server.ready.wait(60) and engine.until_ready(60)
        yield server.url
    finally:
        server.should_exit = True
        thread.join()
