"""The video service inside Pipecat: its own test pipeline, and an output transport that keeps what it is given."""

import asyncio

import numpy as np
import pytest

pytest.importorskip("pipecat", reason="needs pipecat: pip install 'vasa_jax[pipecat]'")

from pipecat.frames.frames import (
    EndFrame,
    InterruptionFrame,
    OutputImageRawFrame,
    StartFrame,
    TextFrame,
    TTSAudioRawFrame,
    TTSStartedFrame,
    TTSStoppedFrame,
)
from pipecat.pipeline.pipeline import Pipeline
from pipecat.pipeline.worker import PipelineWorker
from pipecat.transports.base_output import BaseOutputTransport
from pipecat.transports.base_transport import TransportParams
from pipecat.workers.runner import WorkerRunner

from tests.inference.stand_ins import SIZE
from vasa_jax.agents.pipecat import VasaVideoService

SPEECH = (8000 * np.random.default_rng(0).standard_normal(12_000)).astype(np.int16)  # 0.5 s at 24 kHz


class Kept(BaseOutputTransport):
    """An output that keeps what it is given; `stopped` when speech has been sent, `spoke` when some was."""

    def __init__(self, params: TransportParams) -> None:
        super().__init__(params)
        self.images, self.audio, self.frames = [], [], []
        self.spoke, self.stopped = asyncio.Event(), asyncio.Event()

    async def start(self, frame: StartFrame) -> None:
        await super().start(frame)
        await self.set_transport_ready(frame)

    async def write_video_frame(self, frame: OutputImageRawFrame) -> bool:
        self.images.append(frame)
        return True

    async def write_audio_frame(self, frame: object) -> bool:
        self.audio.append(frame)
        self.spoke.set()
        return True

    async def process_frame(self, frame: object, direction: object) -> None:
        await super().process_frame(frame, direction)
        self.frames.append(frame)
        if isinstance(frame, TTSStoppedFrame):
            self.stopped.set()


def _run(session, script):
    """What the transport kept of a pipeline that `script(worker, transport)` feeds."""

    async def run():
        params = TransportParams(
            audio_out_enabled=True, audio_out_sample_rate=16_000, audio_out_auto_silence=False,
            video_out_enabled=True, video_out_is_live=True, video_out_framerate=25,
            video_out_width=SIZE, video_out_height=SIZE,
        )  # fmt: skip
        transport = Kept(params)
        worker = PipelineWorker(Pipeline([VasaVideoService(session), transport]), enable_rtvi=False)
        started = asyncio.Event()
        worker.add_event_handler("on_pipeline_started", lambda *_: started.set())

        async def feed():
            await asyncio.wait_for(started.wait(), 60)
            await script(worker, transport)
            await worker.queue_frame(EndFrame())

        runner = WorkerRunner(handle_sigint=False)
        await runner.add_workers(worker)
        await asyncio.wait_for(asyncio.gather(runner.run(), feed()), 120)
        return transport

    return asyncio.run(run())


def test_speech_comes_out_with_images_of_it(session):
    async def script(worker, transport):
        await worker.queue_frame(TTSStartedFrame())
        await worker.queue_frame(TTSAudioRawFrame(SPEECH.tobytes(), 24_000, 1))
        await worker.queue_frame(TTSStoppedFrame())
        await worker.queue_frame(TextFrame("something else"))
        await asyncio.wait_for(transport.stopped.wait(), 60)

    kept = _run(session, script)
    spoken = [frame for frame in kept.frames if isinstance(frame, TTSAudioRawFrame)]
    assert len(spoken) == 13 and {frame.sample_rate for frame in spoken} == {16_000}  # 12.5 frames of speech
    assert any(isinstance(frame, TextFrame) for frame in kept.frames)
    assert sum(isinstance(frame, OutputImageRawFrame) for frame in kept.frames) >= 13
    assert kept.images and all(len(frame.image) == 3 * SIZE**2 for frame in kept.images)
    assert b"".join(frame.audio for frame in kept.audio)[:1000] == b"".join(frame.audio for frame in spoken)[:1000]
    order = [type(frame) for frame in kept.frames]
    assert order.index(TTSStoppedFrame) > max(i for i, kind in enumerate(order) if kind is TTSAudioRawFrame)


def test_an_interruption_ends_what_is_said(session):
    async def script(worker, transport):
        await worker.queue_frame(TTSAudioRawFrame(np.tile(SPEECH, 60).tobytes(), 24_000, 1))
        await asyncio.wait_for(transport.spoke.wait(), 60)
        await worker.queue_frame(InterruptionFrame())
        await worker.queue_frame(TTSAudioRawFrame(SPEECH.tobytes(), 24_000, 1))
        await worker.queue_frame(TTSStoppedFrame())
        await asyncio.wait_for(transport.stopped.wait(), 60)

    kept = _run(session, script)
    spoken = sum(isinstance(frame, TTSAudioRawFrame) for frame in kept.frames)
    assert 13 < spoken < 400, "of 750 frames of speech"
    after = next(i for i, frame in enumerate(kept.frames) if isinstance(frame, InterruptionFrame))
    assert sum(isinstance(frame, TTSAudioRawFrame) for frame in kept.frames[after:]) <= 14
