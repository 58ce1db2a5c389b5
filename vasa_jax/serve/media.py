"""Frames and their sound as fragmented MP4 (H.264 and AAC), a fragment a frame, for MediaSource and players alike.

Every picture carries the visible badge. The sound is what was pushed, in step with the pictures: the container's time
stamps hold both, the codec's own delay included.
"""

from fractions import Fraction
from typing import Any

import av
import numpy as np
from jaxtyping import Float, UInt8

from vasa_jax.inference.live import FPS
from vasa_jax.inference.running import RATE
from vasa_jax.provenance import badge

MIME = 'video/mp4; codecs="avc1.42E01E, mp4a.40.2"'
_MOVE = "empty_moov+default_base_moof+frag_every_frame+negative_cts_offsets"
_KEY = 25
"""Frames from one whole picture to the next: what a player that joins waits for at most."""


class _Sink:
    """A file that can only be written to."""

    def __init__(self) -> None:
        self.parts: list[bytes] = []

    def write(self, data: bytes) -> int:
        self.parts.append(bytes(data))
        return len(data)


def marked(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The frame as it may leave this machine: with the badge. Every live output goes through here."""
    return badge.draw(frame)


class Encoder:
    """The state of one stream. Not for several threads at once.

    Args:
      size: side of the pictures, even.
    """

    def __init__(self, size: int) -> None:
        self.frames = 0
        self._sink, self._samples = _Sink(), 0
        options = {"movflags": _MOVE, "flush_packets": "1", "max_interleave_delta": "1"}
        self._container = av.open(self._sink, "w", format="mp4", options=options)
        fast = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20", "profile": "baseline"}
        self._video = self._container.add_stream("libx264", rate=FPS, options=fast)
        context = self._video.codec_context
        context.width = context.height = size
        context.pix_fmt, context.gop_size, context.thread_count = "yuv420p", _KEY, 1
        context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709
        self._audio = self._container.add_stream("aac", rate=RATE, layout="mono")
        self._audio.bit_rate = 64_000

    def add(self, frames: list[Any], sound: Float[np.ndarray, "n"]) -> bytes:
        """The next frames and the sound that is heard with them; what is to be sent."""
        self._hear(sound)
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(marked(frame)), format="rgb24")
            picture = picture.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            picture.pts, picture.time_base = self.frames, Fraction(1, FPS)
            self._container.mux(self._video.encode(picture))
            self.frames += 1
        return self._sent()

    def close(self) -> bytes:
        """The end of the stream."""
        if self._container is None:
            return b""
        if self.frames:
            self._container.mux(self._audio.encode(None))
            self._container.mux(self._video.encode(None))
            self._container.close()
        self._container = None
        return self._sent()

    def _hear(self, sound: Float[np.ndarray, "n"]) -> None:
        if not len(sound):
            return
        plane = np.clip(np.nan_to_num(sound), -1, 1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(plane), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, Fraction(1, RATE)
        self._samples += len(sound)
        self._container.mux(self._audio.encode(frame))

    def _sent(self) -> bytes:
        data, self._sink.parts = b"".join(self._sink.parts), []
        return data
