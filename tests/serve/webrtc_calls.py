"""A call within this machine: the microphone goes in, images and the same audio come out. Run by test_webrtc.py."""

import asyncio
from fractions import Fraction

import aiortc
import av
import numpy as np
import pytest

from vasa_jax.serve.settings import Settings
from vasa_jax.serve.uploads import Refused
from vasa_jax.serve.webrtc import Calls


class Portraits:
    def __init__(self, look):
        self._look = look

    async def look(self, given):
        return self._look


class Microphone(aiortc.MediaStreamTrack):
    kind = "audio"
    at = 0

    async def recv(self):
        await asyncio.sleep(0.02)
        wave = (8000 * np.sin(0.3 * np.arange(self.at, self.at + 960))).astype(np.int16)
        frame = av.AudioFrame.from_ndarray(wave[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = 48_000, self.at, Fraction(1, 48_000)
        self.at += 960
        return frame


def test_a_call(engine, look, tmp_path) -> None:
    async def run():
        calls, peer, tracks = Calls(engine, Portraits(look), Settings(folder=tmp_path)), aiortc.RTCPeerConnection(), {}
        peer.on("track", lambda track: tracks.setdefault(track.kind, track))
        peer.addTrack(Microphone())
        peer.addTransceiver("video", direction="recvonly")
        channel = peer.createDataChannel("controls")
        await peer.setLocalDescription(await peer.createOffer())
        offer = {"sdp": peer.localDescription.sdp, "type": "offer", "seed": 1, "lookahead_ms": 160}
        answer = await calls.answer(offer)
        await peer.setRemoteDescription(aiortc.RTCSessionDescription(**answer))
        images = [await asyncio.wait_for(tracks["video"].recv(), 60) for _ in range(8)]
        assert engine.taken == 1
        heard = [(await asyncio.wait_for(tracks["audio"].recv(), 60)).to_ndarray() for _ in range(20)]
        if channel.readyState == "open":
            channel.send('{"type": "interrupt"}')
        with pytest.raises(Refused):
            await calls.answer({"type": "offer", "sdp": "nonsense"})
        await peer.close()
        await calls.close()
        return images, np.concatenate(heard, 1)

    images, heard = asyncio.run(run())
    assert all((frame.width, frame.height) == (64, 64) for frame in images)
    assert np.abs(heard).max() > 1000
    assert engine.taken == 0


def test_offers_that_are_none(engine, look, tmp_path) -> None:
    calls = Calls(engine, Portraits(look), Settings(folder=tmp_path))
    for wrong in (None, [], {}, {"type": "answer", "sdp": ""}, {"type": "offer", "sdp": 3}):
        with pytest.raises(Refused) as told:
            asyncio.run(calls.answer(wrong))
        assert told.value.status == 422
