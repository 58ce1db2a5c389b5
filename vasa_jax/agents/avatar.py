"""A live session in real time: what an agent says goes in as fast as it comes, frames come out 25 a second.

    avatar = Avatar(face.stream("portrait.jpg"))
    avatar.say(samples, rate=24_000)
    avatar.end()                            # of what it says, for now
    async for shown in avatar.play():       # a frame and its 40 ms of audio; in silence it idles
        ...
    avatar.interrupt()

The models run in one thread of the avatar's own, so the event loop is never held up.
"""

import asyncio
import collections
import concurrent.futures
import dataclasses
import time
from collections.abc import AsyncIterator

import numpy as np
import soxr
from jaxtyping import Float, Int16, UInt8

from vasa_jax.inference.live import FPS, LiveSession
from vasa_jax.inference.running import FRAME, RATE

_BEHIND = 0.2
"""Seconds after which frames that are late are no longer caught up with: the clock starts anew."""


@dataclasses.dataclass(frozen=True)
class Shown:
    """What is shown for 40 ms.

    Attributes:
      frame: with badge and watermark.
      audio: 16 kHz mono.
      talking: whether it is of something that was said; else it idles.
      ended: this is the last frame before an `end`.
    """

    frame: UInt8[np.ndarray, "h w 3"]
    audio: Int16[np.ndarray, " 640"]
    talking: bool
    ended: bool


class Avatar:
    """See above. All methods belong to the event loop; `close` ends `play`."""

    def __init__(self, session: LiveSession) -> None:
        self._session = session
        session.marks.badge = True
        self._said: collections.deque[np.ndarray | None] = collections.deque()  # None: an end
        self._resampler: tuple[int, soxr.ResampleStream] | None = None
        self._pushed: collections.deque[tuple[np.ndarray, bool, bool]] = collections.deque()
        self._thread = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="avatar")
        self._interrupted = self._closed = False

    @property
    def size(self) -> int:
        """Side of the frames."""
        return self._session.look.size

    def say(self, samples: Float[np.ndarray, "n"] | Int16[np.ndarray, "n"], rate: int = RATE) -> None:
        """More to be said: mono, of any rate."""
        audio = np.asarray(samples)
        audio = audio.astype(np.float32) / (32768 if audio.dtype == np.int16 else 1)
        if rate != RATE:
            if self._resampler is None or self._resampler[0] != rate:
                self._resampler = rate, soxr.ResampleStream(rate, RATE, 1, dtype="float32")
            audio = self._resampler[1].resample_chunk(audio)
        if len(audio):
            self._said.append(audio)

    def end(self) -> None:
        """What was said is a whole; `Shown.ended` marks its last frame."""
        if self._resampler is not None:
            rest = self._resampler[1].resample_chunk(np.zeros(0, np.float32), last=True)
            self._resampler = None
            if len(rest):
                self._said.append(rest)
        self._said.append(None)

    def interrupt(self) -> None:
        """Forgets what is not shown yet and closes the mouth within 200 ms."""
        self._said.clear()
        self._resampler = None
        self._interrupted = True

    def update(self, **changes: object) -> None:
        """Gaze, distance, emotion or guidance from the next frames on; see `LiveSession.update`."""
        self._session.update(**changes)

    def close(self) -> None:
        """Ends `play`."""
        self._closed = True
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def play(self) -> AsyncIterator[Shown]:
        """What is shown, in real time, until it is closed."""
        loop, due = asyncio.get_running_loop(), time.monotonic()
        while not self._closed:
            shown = []
            if self._interrupted:
                self._interrupted = False
                self._pushed.clear()
                frames = await loop.run_in_executor(self._thread, self._session.interrupt)
                silence = np.zeros(FRAME, np.int16)
                shown = [Shown(frame, silence, False, False) for frame in frames]
            else:
                piece, talking, ended = self._next()
                self._pushed.append((np.round(np.clip(piece, -1, 1) * 32767).astype(np.int16), talking, ended))
                frames = await loop.run_in_executor(self._thread, self._session.push, piece)
                if not self._interrupted:
                    shown = [Shown(frame, *self._pushed.popleft()) for frame in frames]
            for each in shown:
                if self._interrupted and each.talking:
                    break
                yield each
            due += len(shown) / FPS  # a piece that gives no frame yet only fills the look-ahead
            now = time.monotonic()
            due = max(due, now - _BEHIND)
            await asyncio.sleep(max(0.0, due - now))

    def _next(self) -> tuple[Float[np.ndarray, " 640"], bool, bool]:
        """40 ms: of what is said, filled up with silence; whether it is, and whether an end lies in it."""
        parts, missing, ended = [], FRAME, False
        while self._said and missing:
            part = self._said.popleft()
            if part is None:
                ended = True
                break
            parts.append(part[:missing])
            if len(part) > missing:
                self._said.appendleft(part[missing:])
            missing -= len(parts[-1])
        if self._said and self._said[0] is None and not missing:
            self._said.popleft()
            ended = True
        return np.concatenate([*parts, np.zeros(missing, np.float32)]), bool(parts), ended
