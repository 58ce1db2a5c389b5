"""The WebSocket `/v1/stream`: audio and wishes in, fragmented MP4 and events out.

in   {"type": "start", "portrait": "photo", "seed": 0, "lookahead_ms": 160, "gaze": [0, 0]}   the first message
     int16 16 kHz mono                                                        binary, any length
     {"type": "controls", "gaze": [0.2, 0], "distance": 0, "emotion": {"happiness": 0.5}, "cfg_audio": 0.5}
     {"type": "interrupt"}, {"type": "flush"}, {"type": "end"}, {"type": "ping", "t": 1}
out  {"type": "ready", "mime", "size", "fps", "synthetic": true}, then binary pieces of one MP4
     {"type": "latency", "queue", "motion", "decode", "encode", "frames"}     milliseconds, a few times a second
     {"type": "flushed" | "interrupted", "frames"}, {"type": "ended"}, {"type": "pong", "t"}
     {"type": "error", "status", "error", "retry_after"}, then it closes
"""

import asyncio
import contextlib
import json
import time
from typing import Any

import numpy as np
from fastapi import WebSocket, WebSocketDisconnect

from vasa_jax.errors import UserError
from vasa_jax.inference.live import FPS
from vasa_jax.serve.engine import Busy, Engine, Made, Seat
from vasa_jax.serve.listening import Listening, changes, open_seat
from vasa_jax.serve.media import MIME, Encoder
from vasa_jax.serve.portraits import Portraits
from vasa_jax.serve.settings import Settings
from vasa_jax.serve.uploads import Refused

_SLOW = 30.0  # seconds for a client to take a piece
_TELL = 0.25  # seconds from one latency event to the next
_WEIGHT = 0.2  # of the newest in the encoder's running mean


class Stream:
    """One client. `run` returns when it is gone, and its seat is free again."""

    def __init__(self, socket: WebSocket, engine: Engine, portraits: Portraits, settings: Settings) -> None:
        self._socket, self._engine, self._portraits, self._settings = socket, engine, portraits, settings
        self._listening = Listening()
        self._told, self._encode = 0.0, 0.0
        self._ending = asyncio.Event()

    async def run(self) -> None:
        """From the first message to the last."""
        try:
            async with asyncio.timeout(self._settings.live_seconds):
                await self._serve()
        except (WebSocketDisconnect, ConnectionError, RuntimeError):  # a send to one who is gone is a RuntimeError
            pass
        except TimeoutError:
            await self._refuse(408, "nothing was heard, or taken, for too long, or the session's time is over", 1000)
        except Busy as error:
            await self._refuse(503, str(error), 1013, error.retry_after)
        except Refused as error:
            await self._refuse(error.status, str(error), 1009 if error.status == 413 else 1008)
        finally:
            if self._listening.seat is not None:
                self._listening.seat.close()

    async def _serve(self) -> None:
        start = await asyncio.wait_for(self._message(), self._settings.idle_seconds)
        if not isinstance(start, dict) or start.get("type") != "start":
            raise Refused(422, 'the first message must be {"type": "start", ...}')
        listening = self._listening
        seat = listening.seat = await open_seat(self._engine, self._portraits, start, listening.deliver)
        size = seat.session.look.size
        encoder = await asyncio.to_thread(Encoder, size)
        await self._tell("ready", mime=MIME, size=size, fps=FPS, synthetic=True)
        await self._socket.send_bytes(encoder.header)
        tasks = [asyncio.create_task(work) for work in (self._read(seat), listening.feed(), self._write(encoder, seat))]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _message(self) -> dict[str, Any] | bytes:
        message = await self._socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect
        if message.get("bytes") is not None:
            return message["bytes"]
        try:
            value = json.loads(message["text"])
        except ValueError:
            raise Refused(422, "a message is no JSON") from None
        if not isinstance(value, dict):
            raise Refused(422, "a message is no JSON object")
        return value

    async def _read(self, seat: Seat) -> None:
        while True:
            message = await asyncio.wait_for(self._message(), self._settings.idle_seconds)
            if isinstance(message, bytes):
                if len(message) % 2:
                    raise Refused(422, "audio is int16: an even number of bytes")
                await self._listening.hear(np.frombuffer(message, "<i2").astype(np.float32) / 32768)
            else:
                await self._obey(message, seat)

    async def _obey(self, message: dict[str, Any], seat: Seat) -> None:
        kind = message.get("type")
        if kind == "controls":
            try:
                seat.update(**changes(message))
            except UserError as error:
                raise Refused(422, " ".join(str(error).split())) from None
        elif kind == "interrupt":
            self._listening.interrupt()
        elif kind in ("flush", "end"):
            if kind == "end":
                self._ending.set()
            self._listening.flush()
        elif kind == "ping":
            await self._tell("pong", t=message.get("t"))
        else:
            raise Refused(422, f"no message is called {str(kind)[:40]!r}")

    async def _write(self, encoder: Encoder, seat: Seat) -> None:
        """Sends what is made; ends after the last frame that was asked for."""
        while True:
            made = await self._listening.made.get()
            if made.kind == "failed":
                raise Refused(500, f"the server failed ({made.error})")
            if made.count:
                start = time.monotonic()
                data = await asyncio.to_thread(_encoded, encoder, made)
                self._encode += _WEIGHT * (1e3 * (time.monotonic() - start) - self._encode)
                await asyncio.wait_for(self._socket.send_bytes(data), _SLOW)
                seat.taken(made.count)
            if made.kind != "frames":
                await self._tell(made.kind, frames=encoder.frames)
            elif time.monotonic() - self._told > _TELL:
                self._told = time.monotonic()
                times = {name: round(value, 1) for name, value in made.times.items()}
                await self._tell("latency", **times, encode=round(self._encode, 1), frames=encoder.frames)
            if made.kind == "flushed" and self._ending.is_set():
                await self._tell("ended")
                await self._socket.close(1000)
                return

    async def _tell(self, kind: str, **fields: Any) -> None:
        await asyncio.wait_for(self._socket.send_json({"type": kind, **fields}), _SLOW)

    async def _refuse(self, status: int, said: str, code: int, retry_after: int | None = None) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError, ConnectionError, TimeoutError):
            more = {} if retry_after is None else {"retry_after": retry_after}
            await self._tell("error", status=status, error=said, **more)
            await self._socket.close(code)


def _encoded(encoder: Encoder, made: Made) -> bytes:
    return encoder.add(made.frames(), made.audio)
