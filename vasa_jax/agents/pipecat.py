"""A Pipecat video service: speech of a text-to-speech service in, images with that speech out. Extra `pipecat`.

Stands behind the text-to-speech service in a pipeline, as Pipecat's own video services do. Its audio is held back until
the images of it are there, so both reach the transport together.
"""

from typing import Any

import numpy as np
from pipecat.frames.frames import (
    CancelFrame,
    EndFrame,
    Frame,
    InterruptionFrame,
    OutputImageRawFrame,
    StartFrame,
    TTSAudioRawFrame,
    TTSStoppedFrame,
)
from pipecat.processors.frame_processor import FrameDirection, FrameProcessor

from vasa_jax.agents.avatar import Avatar
from vasa_jax.inference.live import LiveSession
from vasa_jax.inference.running import RATE


class VasaVideoService(FrameProcessor):
    """Give the transport `video_out_enabled=True, video_out_is_live=True, video_out_framerate=25` and the frames' size.

    Args:
      session: of `TalkingFace.stream`.
    """

    def __init__(self, session: LiveSession, **options: Any) -> None:
        super().__init__(**options)
        self.avatar = Avatar(session)
        self._showing: Any = None

    async def process_frame(self, frame: Frame, direction: FrameDirection) -> None:
        """Takes speech; everything else goes on."""
        await super().process_frame(frame, direction)
        if isinstance(frame, TTSAudioRawFrame):
            audio = np.frombuffer(frame.audio, np.int16).reshape(-1, frame.num_channels)
            self.avatar.say(audio.astype(np.float32).mean(1) / 32768, frame.sample_rate)
            return
        if isinstance(frame, StartFrame):
            await self.push_frame(frame, direction)
            self._showing = self.create_task(self._show())
            return
        if isinstance(frame, TTSStoppedFrame):
            self.avatar.end()  # what is said to have stopped goes on when it has been shown
            return
        if isinstance(frame, InterruptionFrame):
            self.avatar.interrupt()
        elif isinstance(frame, EndFrame | CancelFrame):
            await self._stop()
        await self.push_frame(frame, direction)

    async def cleanup(self) -> None:
        """Ends the avatar."""
        await self._stop()
        await super().cleanup()

    async def _show(self) -> None:
        size = (self.avatar.size, self.avatar.size)
        async for shown in self.avatar.play():
            await self.push_frame(OutputImageRawFrame(image=shown.frame.tobytes(), size=size, format="RGB"))
            if shown.talking:
                await self.push_frame(TTSAudioRawFrame(shown.audio.tobytes(), RATE, 1))
            if shown.ended:
                await self.push_frame(TTSStoppedFrame())

    async def _stop(self) -> None:
        self.avatar.close()
        if self._showing is not None:
            await self.cancel_task(self._showing)
            self._showing = None
