"""One client's session between its messages and the engine: audio in, in order and bounded; what is made out."""

import asyncio
import collections
from collections.abc import Callable
from typing import Any

import numpy as np

from vasa_jax import conditions
from vasa_jax.errors import UserError
from vasa_jax.inference import live
from vasa_jax.inference.running import RATE
from vasa_jax.serve.engine import Engine, Made, Seat
from vasa_jax.serve.portraits import Portraits
from vasa_jax.serve.uploads import Refused

PIECE = RATE // 4
"""Samples handed to the engine at once."""
MOST_PENDING = 60 * RATE
"""Samples that wait here before the client is no longer listened to."""
_FLUSH, _ROOM = None, 0.02


class Listening:
    """Feeds a seat and collects what it delivers; everything on the event loop.

    Attributes:
      made: queue of `Made`.
      seat: to be set before anything is fed or interrupted.
    """

    def __init__(self) -> None:
        self.made: asyncio.Queue[Made] = asyncio.Queue()
        self._waiting: collections.deque[np.ndarray | None] = collections.deque()
        self._size = 0
        self._news, self._room = asyncio.Event(), asyncio.Event()
        self._room.set()
        self._loop = asyncio.get_running_loop()
        self.seat: Seat | None = None

    def deliver(self, made: Made) -> None:
        """For the engine, on its thread."""
        self._loop.call_soon_threadsafe(self.made.put_nowait, made)

    async def hear(self, samples: np.ndarray) -> None:
        """Takes audio in; waits where too much is waiting."""
        await self._room.wait()
        for at in range(0, len(samples), PIECE):
            self._waiting.append(samples[at : at + PIECE])
        self._size += len(samples)
        self._tell()

    def flush(self) -> None:
        """`flushed` is made after all that was heard so far."""
        self._waiting.append(_FLUSH)
        self._tell()

    def interrupt(self) -> None:
        """Forgets what waits, here and in the engine."""
        self._waiting.clear()
        self._size = 0
        assert self.seat is not None
        self.seat.interrupt()
        self._tell()

    def _tell(self) -> None:
        self._room.set() if self._size < MOST_PENDING else self._room.clear()
        self._news.set()

    async def feed(self) -> None:
        """Hands audio to the engine as it has room, for ever."""
        seat = self.seat
        assert seat is not None
        while True:
            while not self._waiting:
                self._news.clear()
                await self._news.wait()
            piece = self._waiting[0]
            if piece is _FLUSH:
                seat.flush()
            elif not seat.push(piece):
                await asyncio.sleep(_ROOM)
                continue
            if self._waiting and self._waiting[0] is piece:
                self._waiting.popleft()
                self._size -= 0 if piece is _FLUSH else len(piece)
            self._tell()


def changes(message: dict[str, Any]) -> dict[str, Any]:
    """The controls of a message, as `Controls` takes them; checked where they are used."""
    told = {one.name: dict if one.named else list if one.shape else int | float for one in conditions.told()}
    # The strength of anything else would need a program of its own.
    kinds = told | {f"cfg_{name}": int | float for name in live.GUIDED}
    given = {name: message[name] for name in kinds if message.get(name) is not None}
    for name, value in given.items():
        kind = kinds[name]
        parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else [value]
        if not isinstance(value, kind) or not all(isinstance(x, int | float) and x == x for x in parts):
            raise Refused(422, f"{name}: give numbers")
    return {name: tuple(value) if isinstance(value, list) else value for name, value in given.items()}


async def open_seat(
    engine: Engine, portraits: Portraits, start: dict[str, Any], deliver: Callable[[Made], None]
) -> Seat:
    """The seat that a start message asks for.

    Raises:
      Refused: what is wrong with it.
      Busy: no seat is free.
    """
    seed, lookahead = start.get("seed", 0), start.get("lookahead_ms", live.LOOKAHEAD_MS)
    if type(seed) is not int or type(lookahead) is not int:
        raise Refused(422, "seed and lookahead_ms: give whole numbers")
    try:
        controls = live.controls_of(seed, changes(start))
        engine.check(lookahead)
        look = await portraits.look(start.get("portrait"))
        return engine.open(look, controls, lookahead, deliver)
    except UserError as error:
        raise Refused(422, " ".join(str(error).split())) from None
