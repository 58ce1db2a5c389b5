"""Sound decoded packet by packet on the clock of its time stamps: what is missing is silence of its length.

A packet that fails leaves a hole in time, and so does a page that is thrown away for its checksum, or a frame that is
not found; the decoder goes on behind it. `containers.Damage` is told every loss.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import av
import numpy as np
import soxr
from jaxtyping import Float

from vasa_jax import containers, downmix
from vasa_jax.containers import Damage
from vasa_jax.mpeg_audio import Frames

_GAP, _UNSURE_GAP, _SURE_GAP = 0.012, 0.03, 0.002
"""Seconds that time stamps must jump to be believed: usually, in Vorbis, and behind a packet that failed."""
_LONGEST_GAP = 60.0
_STEADY = {"ogg", "mp3", "aac", "flac"}
"""Formats in which time never jumps, so that a jump is a loss. In others it may be a pause that somebody made."""
_PAUSING = {"opus", "libopus", "speex", "libspeex", "amrnb", "amrwb"}  # send next to nothing while nobody speaks
_LONGEST_PAUSE = 1.0
_NEAR = 256  # bytes between packets of one container that are its own
_PADDING = 4096
_SCALES = {"u1": 128.0, "i2": 2.0**15, "i4": 2.0**31, "i8": 2.0**63}
_SILENCE = 32_768


def prepare(stream: Any) -> None:
    """To be called before the first packet: checksums that a decoder may look at are looked at."""
    if stream.codec_context.name == "flac":
        stream.codec_context.options = {"err_detect": "crccheck+explode"}


def audio(
    container: Any, rate: int, channels: int, damage: Damage, frames: Frames | None = None
) -> Iterator[Float[np.ndarray, "n c"]]:
    """The first audio of a container, at one rate and as one or two channels, whatever its parts have.

    Args:
      container: open for reading.
      rate, channels: wanted.
      damage: is told what is lost.
      frames: where the container shows nothing but these frames of a file, what is missing between them.
    """
    return _Track(container, rate, channels, damage, frames).blocks()


class _Track:
    def __init__(self, container: Any, rate: int, channels: int, damage: Damage, frames: Frames | None):
        self._container, self._stream = container, container.streams.audio[0]
        self._rate, self._channels, self._damage = rate, channels, damage
        self._form = set(container.format.name.split(","))
        self._codec = self._stream.codec_context.name
        self._holes = deque((k * frames.seconds, n * frames.seconds) for k, n in frames.holes) if frames else deque()
        self._half = frames.seconds / 2 if frames else 0.0
        # The last packet is padded. MP4 knows the true length, and MP3 may; other containers only guess.
        length = float((self._stream.duration or 0) * self._stream.time_base)
        exact = length and ("mov" in self._form or frames is not None and frames.holes and _agree(frames, length))
        self._limit = round(length * rate) if exact else None
        self._done = 0
        self._next: float | None = None  # seconds at which the next frame begins, if nothing is missing
        self._failed = self._torn = False
        self._failed_until = self._read_until = 0.0
        self._source: tuple = ()
        self._resampler: soxr.ResampleStream | None = None

    def blocks(self) -> Iterator[np.ndarray]:
        prepare(self._stream)
        for packet in containers.packets(self._container, self._stream):
            self._watch(packet)
            try:
                decoded = packet.decode()
            except (av.FFmpegError, OSError, ValueError):
                self._fail(packet)
                continue
            for frame in decoded:
                yield from self._missing(frame)
                yield from self._given(self._converted(frame))
        yield from self._given(self._flushed())
        if self._failed and self._next is not None:
            yield from self._silence(self._failed_until - self._next, True)
        while self._holes:
            yield from self._silence(self._holes.popleft()[1], True)

    def _watch(self, packet: Any) -> None:
        """Notes what tells a torn container: packets that it calls corrupt, and bytes that belong to none."""
        if packet.is_corrupt:
            self._failed = True
        if "matroska" in self._form and packet.pos is not None and packet.size:
            self._torn |= 0 < self._read_until < packet.pos - _NEAR and len(self._container.streams) == 1
            self._read_until = packet.pos + packet.size

    def _fail(self, packet: Any) -> None:
        self._failed = True
        if packet.pts is None:
            return
        begin = float(packet.pts * packet.time_base)
        if self._next is None:
            self._next = max(begin, 0.0)
        self._failed_until = max(self._failed_until, begin + float((packet.duration or 0) * packet.time_base))

    def _missing(self, frame: Any) -> Iterator[np.ndarray]:
        """Silence for what should be before this frame."""
        time = frame.time
        while self._holes and time is not None and time >= self._holes[0][0] - self._half:
            yield from self._silence(self._holes.popleft()[1], True)
        if time is not None and self._next is not None:
            jump = time - self._next
            usual = _UNSURE_GAP if self._codec == "vorbis" else _GAP
            if (_SURE_GAP if self._failed else usual) < jump < _LONGEST_GAP and self._plausible(jump):
                pause = self._codec in _PAUSING and jump < _LONGEST_PAUSE and not self._failed
                yield from self._silence(jump, (self._failed or self._torn or self._steady) and not pause)
        self._failed = self._torn = False
        begin = time if time is not None else self._next or 0.0
        self._next = begin + frame.samples / (frame.sample_rate or self._rate)

    @property
    def _steady(self) -> bool:
        return bool(self._form & _STEADY)

    def _plausible(self, jump: float) -> bool:
        """A time stamp that is itself damaged may lie anywhere; the audio does not end behind the end."""
        if self._steady or not self._stream.duration:
            return True
        length = float(self._stream.duration * self._stream.time_base)
        return self._done / self._rate + jump <= length + 1.0

    def _silence(self, seconds: float, lost: bool) -> Iterator[np.ndarray]:
        yield from self._given(self._flushed())
        left = round(seconds * self._rate)
        if lost and left > 0:
            self._damage.add(self._done, left)
        while left > 0:
            count = min(left, _SILENCE)
            yield from self._given(np.zeros((count, self._channels), np.float32))
            left -= count

    def _given(self, block: np.ndarray) -> Iterator[np.ndarray]:
        if self._limit is not None and 0 <= self._done + len(block) - self._limit < _PADDING:
            block = block[: max(0, self._limit - self._done)]
        self._done += len(block)
        if len(block):
            yield block

    def _converted(self, frame: Any) -> np.ndarray:
        block = self._mixed(floats(frame), frame)
        source = (frame.sample_rate or self._rate,)
        before = np.zeros((0, self._channels), np.float32)
        if source != self._source:
            before, self._source = self._flushed(), source
            if source[0] != self._rate:
                self._resampler = soxr.ResampleStream(source[0], self._rate, self._channels, dtype=np.float32)
        if self._resampler is not None:
            block = self._resampler.resample_chunk(np.ascontiguousarray(np.nan_to_num(block)))
        return np.concatenate([before, block]) if len(before) else block

    def _flushed(self) -> np.ndarray:
        """What the resampler still holds; it begins anew."""
        if self._resampler is None:
            return np.zeros((0, self._channels), np.float32)
        rest = self._resampler.resample_chunk(np.zeros((0, self._channels), np.float32), last=True)
        self._resampler, self._source = None, ()
        return rest

    def _mixed(self, block: np.ndarray, frame: Any) -> np.ndarray:
        given = block.shape[1]
        if given > 2:
            names: Sequence[str] = [channel.name for channel in frame.layout.channels]
            if len(names) != given or not any(name in downmix.KNOWN for name in names):
                names = downmix.places(given)
            block = block @ downmix.mixing(names)
        if block.shape[1] == self._channels:
            return block
        return block.mean(1, keepdims=True) if self._channels == 1 else block.repeat(2, axis=1)


def _agree(frames: Frames, length: float) -> bool:
    """Whether a length in seconds is that of the frames and holes, but for what an encoder adds at both ends."""
    whole = frames.count + sum(count for _, count in frames.holes)
    return 0 <= whole * frames.seconds - length < 4 * frames.seconds


def floats(frame: Any) -> Float[np.ndarray, "n c"]:
    """The samples of a frame, full scale at 1."""
    values = frame.to_ndarray()
    if not frame.format.is_planar:
        values = values.reshape(-1, frame.layout.nb_channels).T
    kind = values.dtype.str[1:]
    if kind == "u1":
        values = values.astype(np.float32) - 128.0
    scaled = values.astype(np.float32) if kind[0] == "f" or kind == "u1" else values.astype(np.float64)
    return np.ascontiguousarray((scaled / _SCALES.get(kind, 1.0)).astype(np.float32).T)
