"""A LiveKit Agents avatar: the `VideoGenerator` that its `AvatarRunner` drives. Extra `livekit`.

The runner takes the agent's speech, publishes what comes out in step, and tells the agent when it has been heard.
"""

from collections.abc import AsyncIterator

import numpy as np
from livekit import rtc
from livekit.agents.voice.avatar import AudioSegmentEnd, AvatarOptions, VideoGenerator

from vasa_jax.agents.avatar import Avatar
from vasa_jax.inference.live import FPS, LiveSession
from vasa_jax.inference.running import FRAME, RATE


class VasaVideoGenerator(VideoGenerator):
    """For `AvatarRunner(room, audio_recv=..., video_gen=VasaVideoGenerator(session), options=generator.options)`.

    Args:
      session: of `TalkingFace.stream`.
    """

    def __init__(self, session: LiveSession) -> None:
        self.avatar = Avatar(session)

    @property
    def options(self) -> AvatarOptions:
        """What is made, for the runner."""
        size = self.avatar.size
        return AvatarOptions(
            video_width=size, video_height=size, video_fps=FPS, audio_sample_rate=RATE, audio_channels=1
        )

    async def push_audio(self, frame: rtc.AudioFrame | AudioSegmentEnd) -> None:
        """More speech, or the end of it."""
        if isinstance(frame, AudioSegmentEnd):
            return self.avatar.end()
        audio = np.frombuffer(frame.data, np.int16).reshape(-1, frame.num_channels)
        self.avatar.say(audio.astype(np.float32).mean(1) / 32768, frame.sample_rate)

    def clear_buffer(self) -> None:
        """The agent was interrupted."""
        self.avatar.interrupt()

    async def aclose(self) -> None:
        """Ends the avatar."""
        self.avatar.close()

    async def _made(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        size = self.avatar.size
        async for shown in self.avatar.play():
            yield rtc.VideoFrame(size, size, rtc.VideoBufferType.RGB24, shown.frame.tobytes())
            if shown.talking:
                yield rtc.AudioFrame(shown.audio.tobytes(), RATE, 1, FRAME)
            if shown.ended:
                yield AudioSegmentEnd()

    def __aiter__(self) -> AsyncIterator[rtc.VideoFrame | rtc.AudioFrame | AudioSegmentEnd]:
        return self._made()
