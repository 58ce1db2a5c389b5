"""Frames and their audio as fragmented MP4 (H.264 and AAC), a fragment a frame, for MediaSource and players alike.

Every image carries the visible badge and the watermark. The audio is what was pushed, in step with the images: the
container's time stamps hold both, the codec's own delay included.
"""

import struct
from fractions import Fraction
from typing import Any

import av
import numpy as np
from jaxtyping import Float

from vasa_jax.inference.live import FPS
from vasa_jax.inference.running import RATE
from vasa_jax.provenance.marking import Marks

MIME = 'video/mp4; codecs="avc1.42C01E, mp4a.40.2"'
_KEY = 25
"""Frames from one whole image to the next: what a player that joins waits for at most."""
_WHOLE, _PART = 0x02000000, 0x01010000  # sample flags of ISO/IEC 14496-12: depends on no other, on others


class _Sink(list):
    """A file that can only be written to."""

    def write(self, data: bytes) -> int:
        self.append(bytes(data))
        return len(data)


class Encoder:
    """The state of one stream. Not for several threads at once.

    PyAV encodes and writes the header; the fragments are written here, because its muxer holds each one back until the
    next packet comes, which is 80 ms later.

    Args:
      size: side of the images, even.

    Attributes:
      header: what has to be sent before anything else.
    """

    def __init__(self, size: int) -> None:
        self.frames, self._samples, self._number, self._marks = 0, 0, 0, Marks()
        sink = _Sink()
        with av.open(sink, "w", format="mp4", options={"movflags": "empty_moov+default_base_moof"}) as container:
            fast = {"preset": "ultrafast", "tune": "zerolatency", "crf": "20", "profile": "baseline"}
            self._video = container.add_stream("libx264", rate=FPS, options=fast)
            context = self._video.codec_context
            context.width = context.height = size
            context.pix_fmt, context.gop_size, context.thread_count = "yuv420p", _KEY, 1
            context.colorspace, context.color_primaries, context.color_trc, context.color_range = 1, 1, 1, 1  # BT.709
            self._audio = container.add_stream("aac", rate=RATE, layout="mono")
            self._audio.bit_rate = 64_000
            container.start_encoding()
            self.header = b"".join(sink)
            assert self._video.time_base is not None  # it has one once encoding starts
            self._ticks = round(1 / FPS / self._video.time_base)
        self._encoders = self._video.codec_context, self._audio.codec_context

    def add(self, frames: list[Any], audio: Float[np.ndarray, "n"]) -> bytes:
        """One fragment of the next frames and the audio that is heard with them."""
        first, images = self.frames, []
        for frame in frames:
            image = av.VideoFrame.from_ndarray(np.ascontiguousarray(self._marks(frame)), format="rgb24")
            image = image.reformat(format="yuv420p", dst_colorspace="ITU709", dst_color_range="MPEG")
            image.pts, image.time_base = self.frames, Fraction(1, FPS)
            for packet in self._encoders[0].encode(image):
                images.append((_prefixed(bytes(packet)), self._ticks, _WHOLE if packet.is_keyframe else _PART))
            self.frames += 1
        heard = self._hear(audio)
        tracks = [(1, first * self._ticks, images)] if images else []
        if heard:
            tracks.append((2, heard[0][0], [(packet, 1024, _WHOLE) for _, packet in heard]))
        self._number += 1
        return _fragment(self._number, tracks) if tracks else b""

    def _hear(self, audio: Float[np.ndarray, "n"]) -> list[tuple[int, bytes]]:
        """Packets, and when they begin."""
        if not len(audio):
            return []
        plane = np.clip(np.nan_to_num(audio), -1, 1).astype(np.float32)[None]
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(plane), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, self._samples, Fraction(1, RATE)
        self._samples += len(audio)
        # The first packet is the codec's own delay, before all audio.
        packets = [(packet.pts, bytes(packet)) for packet in self._encoders[1].encode(frame)]
        return [(time, packet) for time, packet in packets if time is not None and time >= 0]


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I", len(body) + 8) + kind + body


def _fragment(number: int, tracks: list[tuple[int, int, list[tuple[bytes, int, int]]]]) -> bytes:
    """`moof` and `mdat` (ISO/IEC 14496-12) of tracks (id, time, samples), a sample being (data, duration, flags)."""

    def moof(offset: int) -> bytes:
        parts = [_box(b"mfhd", struct.pack(">II", 0, number))]
        for track, time, samples in tracks:
            rows = b"".join(struct.pack(">III", duration, len(data), flags) for data, duration, flags in samples)
            parts.append(
                _box(
                    b"traf",
                    _box(b"tfhd", struct.pack(">II", 0x020000, track)),
                    _box(b"tfdt", struct.pack(">IQ", 0x01000000, time)),
                    _box(b"trun", struct.pack(">IIi", 0x000701, len(samples), offset), rows),
                )
            )
            offset += sum(len(data) for data, _, _ in samples)
        return _box(b"moof", *parts)

    data = [data for _, _, samples in tracks for data, _, _ in samples]
    return moof(len(moof(0)) + 8) + _box(b"mdat", *data)


def _prefixed(stream: bytes) -> bytes:
    """H.264 with start codes (Annex B) as MP4 wants it: each unit with its length in front."""
    units = [unit.rstrip(b"\0") for unit in stream.replace(b"\0\0\0\1", b"\0\0\1").split(b"\0\0\1")]
    return b"".join(struct.pack(">I", len(unit)) + unit for unit in units if unit)
