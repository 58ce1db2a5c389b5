"""The frames of MP3 and of AAC without a container, found one by one: what lies between them is damaged, or no audio.

    found = find_frames("torn.mp3")
    found.holes          # ((85, 5),): before frame 85, five frames are missing

FFmpeg takes what it cannot read for one frame of any length, so that audio and time part behind it; and a tag in front
that is not where it should be, for the audio itself.
"""

import dataclasses
import io
import mmap
import os
from collections.abc import Callable

from vasa_jax.paths import PathLike

_RATES = {3: (44100, 48000, 32000), 2: (22050, 24000, 16000), 0: (11025, 12000, 8000)}
_KBITS = {  # by (MPEG 1, layer); ISO 11172-3, table of bit_rate_index, and 13818-3
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
    (False, 3): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_ADTS_RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
_SURE = 3  # frames in a row that make a beginning
_NEIGHBOURS = 6  # frames on either side whose mean length tells how many a hole held
_MOST_BYTES = 1 << 28
_MOST_LOOKS = 1 << 20  # places tried, so that nothing made to look like frames takes for ever
_TAGS = (b"TAG", b"APETAGEX", b"LYRICSBEGIN", b"3DI")

Header = tuple[tuple, int, float]  # (what all frames share, bytes, seconds)


@dataclasses.dataclass(frozen=True)
class Frames:
    """The good frames of a file.

    Attributes:
      form: FFmpeg's name of the format, "mp3" or "aac".
      runs: (offset, bytes) of what is good and in one piece.
      holes: (number of the frame in front of which something is missing, how many frames), in order.
      count: of the good ones.
      seconds: of a frame.
      junk: bytes before the first frame that are no tag.
    """

    form: str
    runs: tuple[tuple[int, int], ...]
    holes: tuple[tuple[int, int], ...]
    count: int
    seconds: float
    junk: int


class Pieces(io.RawIOBase):
    """Pieces of a file, read as one file of their own."""

    def __init__(self, path: PathLike, runs: tuple[tuple[int, int], ...]):
        self._file, self._runs, self._at = open(path, "rb"), runs, 0
        self._size = sum(size for _, size in runs)

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = max(0, offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence])
        return self._at

    def readinto(self, buffer) -> int:
        before = 0
        for offset, size in self._runs:
            inside = self._at - before
            if inside < size:
                self._file.seek(offset + inside)
                count = self._file.readinto(memoryview(buffer)[: size - inside])
                self._at += count
                return count
            before += size
        return 0

    def close(self) -> None:
        self._file.close()
        super().close()


def find_frames(path: PathLike) -> Frames | None:
    """The frames of an MP3 or ADTS file; None where there are not even a few in a row."""
    if not 0 < os.stat(path).st_size <= _MOST_BYTES:
        return None
    with open(path, "rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        found = [frames for form, header in (("mp3", _mp3), ("aac", _adts)) if (frames := _find(data, form, header))]
    return max(found, key=lambda frames: sum(size for _, size in frames.runs), default=None)


def _find(data: mmap.mmap, form: str, header: Callable[[mmap.mmap, int], Header | None]) -> Frames | None:
    start = _after_tag(data, 0)
    at, looks = _next_run(data, start, header, None, _MOST_LOOKS)
    if at is None:
        return None
    begins = header(data, at)
    assert begins is not None  # or no run would begin here
    kind, _, seconds = begins
    junk = at - _skip_tags(data, start, at)
    runs, holes, sizes = [], [], []
    while at is not None:
        first = at
        while (known := header(data, at)) and known[0] == kind and _followed(data, at + known[1], header, kind):
            sizes.append(known[1])
            at += known[1]
        if at > first:
            runs.append((first, at - first))
        again, looks = _next_run(data, max(at, first + 1), header, kind, looks)
        missing = (len(data) if again is None else again) - at
        missing -= _tag_bytes(data, at, at + missing)
        if missing > 0:
            holes.append((len(sizes), missing))
        at = again
    holes = _counted(holes, sizes, _promised(data, runs[0]) if form == "mp3" else None) if runs else []
    if not runs:
        return None
    return Frames(form, tuple(runs), tuple(holes), len(sizes), seconds, max(junk, 0))


def _counted(holes: list, sizes: list[int], promised: int | None) -> list[tuple[int, int]]:
    """Holes in bytes as holes in frames: by the lengths of the frames around, or by how many the file promises."""
    counts = []
    for at, missing in holes:
        near = sizes[max(0, at - _NEIGHBOURS) : at + _NEIGHBOURS]
        counts.append(missing * len(near) / sum(near))
    lacking = 0 if promised is None else promised - len(sizes)
    if counts and 0.25 < lacking / sum(counts) < 4:
        counts = [count * lacking / sum(counts) for count in counts]
    return [(at, max(1, round(count))) for (at, _), count in zip(holes, counts) if count >= 0.5]


def _promised(data: mmap.mmap, first: tuple[int, int]) -> int | None:
    """Frames in all, by the Xing or Info header that encoders hide in the first one."""
    head = data[first[0] : first[0] + 64]
    at = max(head.find(b"Xing"), head.find(b"Info"))
    if at < 0 or len(head) < at + 12 or not head[at + 7] & 1:
        return None
    return int.from_bytes(head[at + 8 : at + 12], "big") + 1


def _followed(data: mmap.mmap, at: int, header: Callable, kind: tuple) -> bool:
    """Whether a frame that ends at `at` is whole: another one begins there, or the file or its tags."""
    if at >= len(data):
        return at == len(data)
    known = header(data, at)
    return bool(known and known[0] == kind) or _tag_bytes(data, at, len(data)) > 0


def _next_run(data, at: int, header: Callable, kind: tuple | None, looks: int) -> tuple[int | None, int]:
    """The next place where frames begin, of the kind if one is given, and how many looks are left."""
    while looks > 0 and (at := data.find(b"\xff", at)) >= 0:
        looks -= 1
        place, count = at, 0
        kind_here: tuple | None = None
        while count < _SURE and (known := header(data, place)) and kind in (None, known[0]):
            if kind_here not in (None, known[0]):
                break
            kind_here = known[0]
            place, count = place + known[1], count + 1
            if place == len(data) and kind is not None:
                count = _SURE
        if count >= _SURE and place <= len(data):
            return at, looks
        at += 1
    return None, looks


def _after_tag(data: mmap.mmap, at: int) -> int:
    """Behind the ID3v2 tags that begin here."""
    while data[at : at + 3] == b"ID3" and at + 10 <= len(data) and max(data[at + 6 : at + 10]) < 128:
        a, b, c, d = data[at + 6 : at + 10]
        at += 10 + (a << 21 | b << 14 | c << 7 | d) + (10 if data[at + 5] & 16 else 0)
    return min(at, len(data))


def _skip_tags(data: mmap.mmap, start: int, end: int) -> int:
    """`start`, moved on by the bytes of tags before `end`."""
    return start + _tag_bytes(data, start, end)


def _tag_bytes(data: mmap.mmap, start: int, end: int) -> int:
    """How many of these bytes are tags, or the zeros that fill a file up."""
    if start >= end:
        return 0
    tag = data.find(b"ID3", start, end)
    if tag >= 0 and (behind := _after_tag(data, tag)) > tag + 10:
        return min(behind, end) - tag
    if any(data[start : start + len(name)] == name for name in _TAGS):
        return end - start
    return end - start if not any(data[start : min(end, start + 4096)]) and end == len(data) else 0


def _mp3(data: mmap.mmap, at: int) -> Header | None:
    if at + 4 > len(data):
        return None
    sync, a, b, c = data[at : at + 4]
    version, layer, rate = a >> 3 & 3, 4 - (a >> 1 & 3), b >> 2 & 3
    if sync != 0xFF or a & 0xE0 != 0xE0 or version == 1 or layer == 4 or rate == 3 or b >> 4 in (0, 15) or c & 3 == 2:
        return None
    hertz = _RATES[version][rate]
    bits = _KBITS[version == 3, layer][(b >> 4) - 1] * 1000
    padding = b >> 1 & 1
    if layer == 1:
        return (version, layer, rate), (12 * bits // hertz + padding) * 4, 384 / hertz
    samples = 576 if layer == 3 and version != 3 else 1152
    return (version, layer, rate), samples // 8 * bits // hertz + padding, samples / hertz


def _adts(data: mmap.mmap, at: int) -> Header | None:
    if at + 7 > len(data):
        return None
    head = data[at : at + 7]
    rate = head[2] >> 2 & 15
    if head[0] != 0xFF or head[1] & 0xF6 != 0xF0 or rate >= len(_ADTS_RATES):
        return None
    size = (head[3] & 3) << 11 | head[4] << 3 | head[5] >> 5
    if size < 8:
        return None
    blocks = (head[6] & 3) + 1
    return (head[1] & 8, head[2] >> 6, rate), size, blocks * 1024 / _ADTS_RATES[rate]
