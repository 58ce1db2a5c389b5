"""WAV and AIFF whose headers lie about the length: a recorder that was cut off, a stream that never knew it.

    with opened("cut_off.wav", find("cut_off.wav")) as file: soundfile.SoundFile(file)

The chunks are walked here, and where the length of the audio cannot be true while data go on, the file is shown to its
reader with another length in the header. The file itself is not touched.
"""

import contextlib
import dataclasses
import io
import os
import struct
from collections.abc import Iterator

from vasa_jax.paths import PathLike

_UNKNOWN = 0x7FFFFF00  # lengths from here on are what streams write for "not known yet"
_TAGS = (b"TAG", b"ID3", b"APETAGEX", b"LYRICS")  # found behind the last chunk, and no audio
_WHOLE = 64  # chunks looked at before a file is taken to be none of these


@dataclasses.dataclass(frozen=True)
class AudioData:
    """Where the audio of a file lies and what its header claims.

    Attributes:
      start: of the samples, bytes.
      claimed: bytes of them by the header; None: it says that it does not know.
      length: bytes of them that are there.
      block: bytes of one sample of all channels.
      rate: bytes a second.
      mask: WAV's bits for the places of the loudspeakers; 0: not said.
      patches: (offset, bytes) that make the header true; empty for one that is.
    """

    start: int
    claimed: int | None
    length: int
    block: int
    rate: int
    mask: int = 0
    patches: tuple[tuple[int, bytes], ...] = ()


class Patched(io.RawIOBase):
    """A file that is read with other bytes in a few places."""

    def __init__(self, file: io.BufferedReader, patches: tuple[tuple[int, bytes], ...]):
        self._file, self._patches = file, patches

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def readinto(self, buffer) -> int:
        at = self._file.tell()
        count = self._file.readinto(buffer)
        for offset, value in self._patches:
            low, high = max(offset, at), min(offset + len(value), at + count)
            if low < high:
                memoryview(buffer)[low - at : high - at] = value[low - offset : high - offset]
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


def patched(path: PathLike, found: AudioData) -> io.BufferedReader:
    """The file with a true header; closing it closes the file."""
    return io.BufferedReader(Patched(open(path, "rb"), found.patches))


@contextlib.contextmanager
def opened(path: PathLike, found: AudioData | None) -> Iterator[io.BufferedReader]:
    """The file, with a true header if its own is none."""
    with open(path, "rb") if found is None or not found.patches else patched(path, found) as file:
        yield file


def find(path: PathLike) -> AudioData | None:
    """Where the audio lies in a WAV (RIFF, RIFX, RF64) or AIFF file; None for other files and for broken ones."""
    with open(path, "rb") as file:
        head = file.read(12)
        size = file.seek(0, os.SEEK_END)
        kind = head[:4], head[8:12]
        try:
            if kind[0] in (b"RIFF", b"RF64", b"RIFX", b"BW64") and kind[1] == b"WAVE":
                return _wave(file, size, ">" if kind[0] == b"RIFX" else "<")
            if kind[0] == b"FORM" and kind[1] in (b"AIFF", b"AIFC"):
                return _aiff(file, size)
        except struct.error:  # cut off inside its header
            pass
    return None


def _wave(file: io.BufferedReader, size: int, order: str) -> AudioData | None:
    block = rate = mask = 0
    long = None
    for name, at, length in _chunks(file, size, order):
        if name == b"ds64":
            file.seek(at + 8)
            (long,) = struct.unpack("<Q", file.read(8))
        elif name == b"fmt ":
            file.seek(at)
            body = file.read(min(length, 40))
            rate, block = struct.unpack(order + "IH", body[8:14])
            if len(body) >= 24 and struct.unpack(order + "H", body[:2])[0] == 0xFFFE:
                (mask,) = struct.unpack(order + "I", body[20:24])
        elif name == b"data":
            claimed = long if length == 0xFFFFFFFF and long else length
            there, claimed = _there(file, size, at, claimed, order)
            if not block or not rate:
                return None
            patches: tuple[tuple[int, bytes], ...] = ()
            if there != (long if long and length == 0xFFFFFFFF else length):
                field = struct.pack(order + "I", min(there, 0xFFFFFFFF))
                patches = (4, struct.pack(order + "I", min(size - 8, 0xFFFFFFFF))), (at - 4, field)
                if long is not None:  # then the 64-bit lengths count no longer
                    patches = (0, b"RIFF"), *patches
            return AudioData(at, claimed, there, block, rate, mask, patches)
    return None


def _aiff(file: io.BufferedReader, size: int) -> AudioData | None:
    common = None
    for name, at, length in _chunks(file, size, ">"):
        if name == b"COMM":
            file.seek(at)
            channels, frames, bits = struct.unpack(">hIh", file.read(8))
            exponent, mantissa = struct.unpack(">HQ", file.read(10))
            hertz = mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63) if exponent & 0x7FFF < 16383 + 32 else 0
            common = at, frames, max(channels, 0) * ((max(bits, 0) + 7) // 8), hertz
        elif name == b"SSND" and common is not None:
            there, claimed = _there(file, size, at, length, ">")
            place, frames, block, hertz = common
            if not block or not hertz or there <= 8:
                return None
            patches: tuple[tuple[int, bytes], ...] = ()
            if there != length:
                value = struct.pack(">I", (there - 8) // block)
                patches = (4, struct.pack(">I", size - 8)), (place + 2, value), (at - 4, struct.pack(">I", there))
            return AudioData(at + 8, claimed, there - 8, block, int(block * hertz), 0, patches)
    return None


def _chunks(file: io.BufferedReader, size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """(name, start of the content, length that its header claims) of the chunks."""
    at = 12
    for _ in range(_WHOLE):
        if at + 8 > size:
            return
        file.seek(at)
        name, length = struct.unpack(order + "4sI", file.read(8))
        yield name, at + 8, length
        at += 8 + length + length % 2


def _there(file: io.BufferedReader, size: int, at: int, claimed: int, order: str) -> tuple[int, int | None]:
    """(bytes of audio that are there, what the header claims of them, None where it says that it does not know)."""
    rest = size - at
    if claimed >= rest:
        return rest, None if claimed >= _UNKNOWN else claimed
    if _goes_on(file, size, at + claimed, order):
        return rest, claimed or None
    return claimed, claimed


def _goes_on(file: io.BufferedReader, size: int, end: int, order: str) -> bool:
    """Whether audio goes on behind the end that the header names: what follows is no chunk, no tag, and not empty."""
    for at in {end, end + end % 2}:
        file.seek(at)
        head = file.read(8)
        if len(head) < 8 or head.startswith(_TAGS):
            return False
        name, length = struct.unpack(order + "4sI", head)
        if all(32 <= byte < 127 for byte in name) and at + 8 + length <= size + 1:
            return False
    file.seek(end)
    return any(file.read(1 << 16))
