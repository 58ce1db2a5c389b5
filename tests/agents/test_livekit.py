"""The video generator inside LiveKit's own runner, with a room that only keeps what is published."""

import asyncio
import types

import numpy as np
import pytest

pytest.importorskip("livekit.agents", reason="needs livekit-agents: pip install 'vasa_jax[livekit]'")

from livekit import rtc
from livekit.agents.voice.avatar import AvatarRunner, QueueAudioOutput

from tests.inference.stand_ins import SIZE
from vasa_jax.agents.livekit import VasaVideoGenerator

SPEECH = (8000 * np.random.default_rng(0).standard_normal(8_000)).astype(np.int16)  # 0.5 s at 16 kHz


class Room:
    """What the runner asks of one."""

    def __init__(self) -> None:
        self.published, self.local_participant = [], types.SimpleNamespace(publish_track=self._publish)

    async def _publish(self, track, options):
        self.published.append(track.kind)

        async def wait_for_subscription():
            pass

        return types.SimpleNamespace(wait_for_subscription=wait_for_subscription)

    def isconnected(self):
        return True

    def on(self, *_):
        pass

    def off(self, *_):
        pass


def _run(session, script):
    """What the runner published while `script(heard, pushed)` spoke; the room; what the script gave."""

    async def run():
        made, heard, room, pushed = VasaVideoGenerator(session), QueueAudioOutput(sample_rate=16_000), Room(), []
        runner = AvatarRunner(room, audio_recv=heard, video_gen=made, options=made.options)
        push = runner.av_sync.push

        async def kept(frame):
            await push(frame)
            pushed.append(frame)

        runner.av_sync.push = kept
        await runner.start()
        try:
            return pushed, room, await asyncio.wait_for(script(heard, pushed), 60)
        finally:
            await made.aclose()
            await runner.aclose()

    return asyncio.run(run())


async def _say(heard, times=1):
    for at in range(0, times * len(SPEECH), 800):
        piece = np.take(SPEECH, range(at, at + 800), mode="wrap")
        await heard.capture_frame(rtc.AudioFrame(piece.tobytes(), 16_000, 1, 800))
    heard.flush()


def test_speech_is_published_and_told_to_have_been_heard(session):
    async def script(heard, pushed):
        await _say(heard)
        return await heard.wait_for_playout()

    pushed, room, ended = _run(session, script)
    assert not ended.interrupted and ended.playback_position == pytest.approx(0.52)  # 13 frames of 40 ms
    assert sorted(room.published) == [rtc.TrackKind.KIND_AUDIO, rtc.TrackKind.KIND_VIDEO]
    audio = np.concatenate([np.frombuffer(each.data, np.int16) for each in pushed if isinstance(each, rtc.AudioFrame)])
    np.testing.assert_allclose(audio[: len(SPEECH)], SPEECH, atol=1)
    images = [each for each in pushed if isinstance(each, rtc.VideoFrame)]
    assert len(images) >= 13 and {(each.width, each.height) for each in images} == {(SIZE, SIZE)}


def test_an_interruption_ends_what_is_said(session):
    async def script(heard, pushed):
        await _say(heard, times=40)
        while not any(isinstance(each, rtc.AudioFrame) for each in pushed):
            await asyncio.sleep(0.01)
        heard.clear_buffer()
        ended = await heard.wait_for_playout()
        before = len(pushed)
        await _say(heard)
        return ended, before, await heard.wait_for_playout()

    pushed, _, (cut, before, whole) = _run(session, script)
    assert cut.interrupted and 0 < cut.playback_position < 10
    assert not whole.interrupted and whole.playback_position == pytest.approx(0.52)
    assert sum(isinstance(each, rtc.AudioFrame) for each in pushed[before:]) <= 14
