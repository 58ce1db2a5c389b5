"""The same session by WebRTC (aiortc): the microphone's track in, a track of images and one of audio out.

Controls, `interrupt` and `flush` come as on the WebSocket, over a data channel of the client's. Needs aiortc; a server
without it answers 501. Outside of a local network a client needs a STUN or TURN server of its own choice.
"""

import asyncio
import json
import time
from fractions import Fraction
from typing import Any

import av
import numpy as np

from vasa_jax.errors import UserError
from vasa_jax.inference.live import FPS
from vasa_jax.inference.machine import Frame
from vasa_jax.inference.running import FRAME, RATE
from vasa_jax.provenance.marking import Marks
from vasa_jax.serve.engine import Engine, Made, Seat
from vasa_jax.serve.listening import Listening, changes, open_seat
from vasa_jax.serve.portraits import Portraits
from vasa_jax.serve.settings import Settings
from vasa_jax.serve.uploads import Refused

_CLOCK = 90_000
_AHEAD = 25
"""Frames that may lie between what is made and what is sent: older ones are left out, the audio with them."""


class Calls:
    """The calls of a server."""

    def __init__(self, engine: Engine, portraits: Portraits, settings: Settings) -> None:
        self._engine, self._portraits, self._settings = engine, portraits, settings
        self._open: set[Any] = set()

    async def answer(self, asked: Any) -> dict[str, Any]:
        """The answer to an offer.

        Raises:
          Refused: it is none, or this server has no WebRTC.
          Busy: no seat is free.
        """
        try:
            import aiortc
        except ImportError:
            raise Refused(501, "this server has no WebRTC: pip install 'vasa_jax[serve]'") from None
        if not isinstance(asked, dict) or asked.get("type") != "offer" or not isinstance(asked.get("sdp"), str):
            raise Refused(422, 'give {"sdp": ..., "type": "offer"}')
        listening = Listening()
        seat = listening.seat = await open_seat(self._engine, self._portraits, asked, listening.deliver)
        peer = aiortc.RTCPeerConnection()
        call = _Call(peer, listening, seat, self._settings)
        self._open.add(call)
        call.closed = lambda: self._open.discard(call)
        try:
            await peer.setRemoteDescription(aiortc.RTCSessionDescription(asked["sdp"], "offer"))
            call.add_tracks()
            await peer.setLocalDescription(await peer.createAnswer())
        except Exception as error:  # whatever aiortc makes of a broken offer
            await call.close()
            raise Refused(422, f"the offer cannot be answered ({type(error).__name__})") from None
        call.start()
        return {"sdp": peer.localDescription.sdp, "type": peer.localDescription.type}

    async def close(self) -> None:
        """Ends all."""
        await asyncio.gather(*(call.close() for call in list(self._open)))


class _Call:
    """One peer."""

    def __init__(self, peer: Any, listening: Listening, seat: Seat, settings: Settings) -> None:
        self._peer, self._listening, self._seat, self._settings = peer, listening, seat, settings
        self._frames: asyncio.Queue[Any] = asyncio.Queue()
        self._audio: asyncio.Queue[np.ndarray] = asyncio.Queue()
        self._tasks: list[asyncio.Task] = []
        self.closed: Any = lambda: None
        peer.on("track", self._heard)
        peer.on("datachannel", lambda channel: channel.on("message", self._obey))
        peer.on("connectionstatechange", self._changed)

    def add_tracks(self) -> None:
        """What is sent."""
        import aiortc

        frames, audio = self._frames, self._audio

        class Images(aiortc.MediaStreamTrack):
            kind = "video"
            at = 0

            async def recv(self) -> av.VideoFrame:
                image = av.VideoFrame.from_ndarray(await frames.get(), format="rgb24")
                image.pts, image.time_base = self.at * _CLOCK // FPS, Fraction(1, _CLOCK)
                self.at += 1
                return image

        class Audio(aiortc.MediaStreamTrack):
            kind = "audio"
            at = 0

            async def recv(self) -> av.AudioFrame:
                piece = await audio.get()
                frame = av.AudioFrame.from_ndarray(piece[None], format="s16", layout="mono")
                frame.sample_rate, frame.pts, frame.time_base = RATE, self.at, Fraction(1, RATE)
                self.at += len(piece)
                return frame

        self._peer.addTrack(Images())
        self._peer.addTrack(Audio())

    def start(self) -> None:
        """Begins to feed and to fetch."""
        work = (self._listening.feed(), self._fetch(), self._end())
        self._tasks += [asyncio.create_task(each) for each in work]

    async def close(self) -> None:
        """Gives the seat back."""
        self._seat.close()
        for task in self._tasks:
            if task is not asyncio.current_task():
                task.cancel()
        await self._peer.close()
        self.closed()

    def _heard(self, track: Any) -> None:
        if track.kind == "audio":
            self._tasks.append(asyncio.create_task(self._listen(track)))

    async def _changed(self) -> None:
        if self._peer.connectionState in ("failed", "closed", "disconnected"):
            await self.close()

    def _obey(self, text: Any) -> None:
        try:
            message = json.loads(text)
            kind = message.get("type")
            if kind == "controls":
                self._seat.update(**changes(message))
            elif kind == "interrupt":
                self._listening.interrupt()
            elif kind == "flush":
                self._listening.flush()
        except (ValueError, AttributeError, TypeError, Refused, UserError):
            pass  # there is nobody to tell: the next message may be better

    async def _listen(self, track: Any) -> None:
        """The microphone at 16 kHz."""
        from aiortc.mediastreams import MediaStreamError

        resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
        while True:
            try:
                frame = await track.recv()
            except MediaStreamError:
                return self._listening.flush()
            for part in resampler.resample(frame):
                await self._listening.hear(part.to_ndarray()[0].astype(np.float32) / 32768)

    async def _fetch(self) -> None:
        """Takes what is made, in the audio's own time: a frame and its 40 ms of audio, 25 a second."""
        due, marks = time.monotonic(), Marks()
        while True:
            made = await self._listening.made.get()
            if made.kind == "failed":
                return await self.close()
            if made.kind == "interrupted":
                self._drop()
            frames = await asyncio.to_thread(_marked, made, marks)
            self._seat.taken(made.count)
            audio = np.round(np.clip(made.audio, -1, 1) * 32767).astype(np.int16)
            for at, frame in enumerate(frames):
                due = max(due + 1 / FPS, time.monotonic() - 1 / FPS)
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                if self._frames.qsize() > _AHEAD:
                    self._drop()
                self._frames.put_nowait(frame)
                piece = audio[at * FRAME : (at + 1) * FRAME]
                for half in np.split(piece, [FRAME // 2]):
                    self._audio.put_nowait(np.ascontiguousarray(half))

    def _drop(self) -> None:
        for queue in (self._frames, self._audio):
            while not queue.empty():
                queue.get_nowait()

    async def _end(self) -> None:
        await asyncio.sleep(self._settings.live_seconds)
        await self.close()


def _marked(made: Made, marks: Marks) -> list[Frame]:
    return [*map(marks, made.frames())]
