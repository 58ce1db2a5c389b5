"""Adapters on stand-ins of the frameworks' interfaces (names and fields as published), with a real session inside."""

import asyncio
import dataclasses
import sys
import types

import numpy as np

from tests.inference.stand_ins import SIZE
from vasa_jax.agents.avatar import Avatar

SPEECH = (8000 * np.random.default_rng(0).standard_normal(24_000 // 2)).astype(np.int16)  # 0.5 s at 24 kHz


def _module(monkeypatch, name, **members):
    module = types.ModuleType(name)
    vars(module).update(members)
    monkeypatch.setitem(sys.modules, name, module)
    return module


async def _until(stream, last, most=400):
    shown = []
    async for each in stream:
        shown.append(each)
        if last(each) or len(shown) == most:
            return shown


def test_what_is_said_is_shown_with_its_audio_between_idle_frames(session) -> None:
    avatar = Avatar(session)
    audio = np.linspace(0.1, 0.9, 640 * 6 + 100).astype(np.float32)

    async def run():
        stream = avatar.play()
        idle = await _until(stream, lambda shown: True)
        avatar.say(audio[:1000])
        avatar.say(audio[1000:])
        avatar.end()
        said = await _until(avatar.play(), lambda shown: shown.ended)
        avatar.close()
        return idle + said

    shown = asyncio.run(run())
    assert not shown[0].talking and not shown[0].audio.any()
    talking = np.concatenate([each.audio for each in shown if each.talking])
    np.testing.assert_allclose(talking[: len(audio)] / 32767, audio, atol=1e-4)
    assert len(talking) == 7 * 640 and not talking[len(audio) :].any()
    assert [each.ended for each in shown if each.talking] == [False] * 6 + [True]
    assert shown[0].frame.shape == (SIZE, SIZE, 3)


def test_interrupting_forgets_the_rest_at_once(session) -> None:
    avatar = Avatar(session)

    async def run():
        avatar.say(np.full(640 * 500, 0.5, np.float32))
        before = await _until(avatar.play(), lambda shown: shown.talking)
        avatar.interrupt()
        after = await _until(avatar.play(), lambda shown: False, most=12)
        avatar.close()
        return before, after

    before, after = asyncio.run(run())
    assert before[-1].talking and not any(each.talking for each in after)


def test_livekit(session, monkeypatch) -> None:
    @dataclasses.dataclass
    class AudioFrame:
        data: bytes
        sample_rate: int
        num_channels: int
        samples_per_channel: int

    @dataclasses.dataclass
    class VideoFrame:
        width: int
        height: int
        type: int
        data: bytes

    class End:
        pass

    rtc = types.SimpleNamespace(
        AudioFrame=AudioFrame, VideoFrame=VideoFrame, VideoBufferType=types.SimpleNamespace(RGB24=4)
    )
    options = dataclasses.make_dataclass(
        "AvatarOptions", ["video_width", "video_height", "video_fps", "audio_sample_rate", "audio_channels"]
    )
    _module(monkeypatch, "livekit", rtc=rtc)
    for name in ("livekit.agents", "livekit.agents.voice"):
        _module(monkeypatch, name)
    _module(
        monkeypatch, "livekit.agents.voice.avatar", AudioSegmentEnd=End, AvatarOptions=options, VideoGenerator=object
    )
    monkeypatch.delitem(sys.modules, "vasa_jax.agents.livekit", raising=False)
    from vasa_jax.agents.livekit import VasaVideoGenerator

    generator = VasaVideoGenerator(session)
    assert generator.options.video_width == SIZE and generator.options.audio_sample_rate == 16_000

    async def run():
        await generator.push_audio(AudioFrame(SPEECH.tobytes(), 24_000, 1, len(SPEECH)))
        await generator.push_audio(End())
        shown = await _until(generator, lambda each: isinstance(each, End))
        await generator.aclose()
        return shown

    shown = asyncio.run(run())
    audio = [each for each in shown if isinstance(each, AudioFrame)]
    assert len(audio) == 13 and all(each.samples_per_channel == 640 for each in audio)  # 12.5 frames of speech
    assert all(len(each.data) == 3 * SIZE**2 for each in shown if isinstance(each, VideoFrame))
    generator.clear_buffer()


def test_pipecat(session, monkeypatch) -> None:
    class Frame:
        pass

    @dataclasses.dataclass
    class Audio(Frame):
        audio: bytes
        sample_rate: int
        num_channels: int

    @dataclasses.dataclass
    class Image(Frame):
        image: bytes
        size: tuple
        format: str

    plain = ("StartFrame", "EndFrame", "CancelFrame", "InterruptionFrame", "TTSStoppedFrame")
    kinds = {name: type(name, (Frame,), {}) for name in plain}

    class Processor:
        def __init__(self):
            self.pushed = []

        async def process_frame(self, frame, direction):
            pass

        async def push_frame(self, frame, direction=None):
            self.pushed.append(frame)

        def create_task(self, coroutine):
            return asyncio.create_task(coroutine)

        async def cancel_task(self, task):
            task.cancel()

        async def cleanup(self):
            pass

    _module(monkeypatch, "pipecat")
    _module(monkeypatch, "pipecat.frames")
    _module(monkeypatch, "pipecat.processors")
    shown = {"Frame": Frame, "TTSAudioRawFrame": Audio, "OutputImageRawFrame": Image}
    _module(monkeypatch, "pipecat.frames.frames", **shown, **kinds)
    _module(monkeypatch, "pipecat.processors.frame_processor", FrameDirection=object, FrameProcessor=Processor)
    monkeypatch.delitem(sys.modules, "vasa_jax.agents.pipecat", raising=False)
    from vasa_jax.agents.pipecat import VasaVideoService

    service = VasaVideoService(session)

    async def run():
        await service.process_frame(kinds["StartFrame"](), None)
        await service.process_frame(Audio(SPEECH.tobytes(), 24_000, 1), None)
        await service.process_frame(kinds["TTSStoppedFrame"](), None)
        while not any(isinstance(frame, kinds["TTSStoppedFrame"]) for frame in service.pushed):
            await asyncio.sleep(0.01)
        await service.process_frame(kinds["InterruptionFrame"](), None)
        await service.process_frame(kinds["EndFrame"](), None)

    asyncio.run(run())
    audio = b"".join(frame.audio for frame in service.pushed if isinstance(frame, Audio))
    assert len(audio) == 13 * 1280
    assert sum(isinstance(frame, Image) for frame in service.pushed) >= 13
    assert isinstance(service.pushed[0], kinds["StartFrame"]) and isinstance(service.pushed[-1], kinds["EndFrame"])
