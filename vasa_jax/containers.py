"""Media files opened as files, and read to their end, whatever is damaged on the way.

    with open_container("10:30.mp3") as container: ...     # FFmpeg would take "10" for a protocol
    for packet in packets(container, stream): ...          # goes on behind what cannot be read

Nothing here decides what a loss means: `Damage` counts it, and says how much and where.
"""

import dataclasses
import io
import os
from collections.abc import Iterator
from typing import Any

import av

from vasa_jax.errors import InputError
from vasa_jax.paths import PathLike

FORMATS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,mpegvideo,gif,"  # images
    "ogg,flv,asf,wav,flac,mp3,aac,caf,aiff,amr"
)
"""Containers that hold media themselves; play lists and other pointers to further files are left out."""
MOST_DAMAGED = 0.1
"""Share of a recording or of a video's images that may be damaged; above it the file is refused."""
_OPTIONS = {"format_whitelist": FORMATS, "protocol_whitelist": "file"}
_TRIES = 32  # errors of the reader in a row, behind which nothing more is hoped for
_PLACES = 3  # named in a message


def url(path: PathLike) -> str:
    """What FFmpeg must be given to open the file of this name: without "file:", a colon would end a protocol."""
    return "file:" + os.fspath(path)


def open_container(path: PathLike, data: io.IOBase | None = None, form: str | None = None) -> Any:
    """Opens a media file to read.

    Args:
      path: of the file.
      data: read instead of the file at `path`.
      form: FFmpeg's name of its format, where that is known.

    Raises:
      av.FFmpegError, OSError, ValueError: it cannot be opened.
    """
    if data is None and _undecodable(path):
        data = open(path, "rb")  # FFmpeg's names are UTF-8; PyAV keeps the file, and with it goes the file
    return av.open(url(path) if data is None else data, format=form, options=_OPTIONS, container_options=_OPTIONS)


def create(path: PathLike, form: str, **options: Any) -> Any:
    """Opens a media file to write."""
    return av.open(url(path), "w", format=form, **options)


def _undecodable(path: PathLike) -> bool:
    try:
        os.fspath(path).encode()
    except UnicodeEncodeError:
        return True
    return False


def packets(container: Any, stream: Any) -> Iterator[Any]:
    """The packets of a stream, the empty one that flushes the decoder last; errors of the file are passed over."""
    failed, source = 0, container.demux(stream)
    while failed < _TRIES:
        try:
            packet = next(source)
        except StopIteration:
            return
        except (av.FFmpegError, OSError):
            failed, source = failed + 1, container.demux(stream)
            continue
        failed = 0
        yield packet


def begins(stream: Any) -> float:
    """Seconds at which a stream says that it begins."""
    return float((stream.start_time or 0) * stream.time_base)


@dataclasses.dataclass
class Damage:
    """What could not be read of a track: (start, length) of each loss, in `unit`s of which there are `rate` a second.

    Attributes:
      total: length of the track in units, what was lost included; known when all was read.
    """

    rate: float
    unit: str = "samples"
    losses: list[tuple[float, float]] = dataclasses.field(default_factory=list)
    total: float = 0

    def add(self, start: float, length: float) -> None:
        """Counts a loss; one that begins where the last one ended belongs to it."""
        if length <= 0:
            return
        if self.losses and start <= sum(self.losses[-1]) + 0.5:
            self.losses[-1] = self.losses[-1][0], self.losses[-1][1] + length
        else:
            self.losses.append((start, length))

    @property
    def lost(self) -> float:
        return sum(length for _, length in self.losses)

    @property
    def share(self) -> float:
        return self.lost / self.total if self.total else 0.0

    def told(self, becomes: str) -> str | None:
        """One line on how much was lost, where, and what stands in its place; None where nothing was."""
        if not self.losses:
            return None
        places = ", ".join(f"{start / self.rate:.2f} s" for start, _ in self.losses[:_PLACES])
        more = len(self.losses) - _PLACES
        places += f" and {more} more places" if more > 0 else ""
        return f"{self.amount()} damaged ({self.share:.1%}), at {places}; {becomes}"

    def amount(self) -> str:
        """How much was lost, for people."""
        if self.unit == "samples":
            return f"{self.lost / self.rate:.2f} s of the audio"
        return f"{self.lost:.0f} of {self.total:.0f} {self.unit}"

    def check(self, path: PathLike) -> None:
        """Raises InputError where more than `MOST_DAMAGED` is lost."""
        if self.share > MOST_DAMAGED:
            raise InputError(
                f"{path} is damaged: {self.amount()} cannot be decoded ({self.share:.0%}, at most "
                f"{MOST_DAMAGED:.0%} may be); convert or record it again"
            )


def images(container: Any, stream: Any, damage: Damage) -> Iterator[Any]:
    """The decoded frames of a video stream; what cannot be decoded is left out, and counted in `damage`."""
    for packet in packets(container, stream):
        yield from shown(packet, damage)


def shown(packet: Any, damage: Damage) -> Iterator[Any]:
    """The frames that a packet of a video brings out, and whose images can be shown.

    Damaged are packets that fail, and frames that the decoder calls corrupt: it paints over what it lacks, and a face
    read from that is wrong.
    """
    damage.total += packet.size > 0
    try:
        frames = packet.decode()
    except (av.FFmpegError, OSError, ValueError):
        damage.add(damage.total - 1, 1)
        return
    for frame in frames:
        if frame.is_corrupt:
            damage.add(damage.total - 1, 1)
        else:
            yield frame
