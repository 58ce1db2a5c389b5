"""What image files say of their samples, where Pillow does not tell: chunks of PNG, boxes of AVIF and HEIC.

Reads the first megabyte of a file; a mark that is not there, or damaged, is None.
"""

import io
import struct
import zlib

import av
from PIL import ExifTags, Image

from vasa_jax import colour

PNG = b"\x89PNG\r\n\x1a\n"


def numbers(head: bytes) -> tuple[int, int] | None:
    """Colour primaries and transfer characteristics by the numbers of ITU-T H.273."""
    if head.startswith(PNG):
        chunk = _chunks(head).get(b"cICP", b"")
        return (chunk[0], chunk[1]) if len(chunk) == 4 else None
    at = head.find(b"colrnclx") if head[4:8] == b"ftyp" else -1
    if at < 0 or len(head) < at + 14:
        return None
    return struct.unpack(">HH", head[at + 8 : at + 12])


def without_damaged_extras(png: bytes) -> bytes:
    """A PNG without the ancillary chunks whose check sum is wrong; Pillow refuses the whole file for one of them."""
    kept, at = [png[:8]], 8
    while at + 12 <= len(png):
        end = at + 12 + struct.unpack(">I", png[at : at + 4])[0]
        ancillary = bool(png[at + 4] & 0x20)  # a small first letter
        if not ancillary or end > len(png) or zlib.crc32(png[at + 4 : end - 4]) == int.from_bytes(png[end - 4 : end]):
            kept.append(png[at:end])
        at = end
    return b"".join(kept) + png[at:]


def significant_bits(head: bytes) -> int | None:
    """Of a PNG's colours (chunk sBIT)."""
    return max(_chunks(head).get(b"sBIT", b"")[:3], default=None)


def has_profile(head: bytes) -> bool:
    """Does a PNG hold an ICC profile, readable or not?"""
    return b"iCCP" in _chunks(head)


def space(head: bytes) -> colour.Space | None:
    """A PNG's own gamma and primaries (chunks gAMA and cHRM)."""
    chunks = _chunks(head)
    if b"sRGB" in chunks or len(chunks.get(b"gAMA", b"")) != 4:
        return None
    gamma = struct.unpack(">I", chunks[b"gAMA"])[0] / 100_000
    if not 0.2 <= gamma <= 2:
        return None
    points = colour.Space().primaries
    if len(chunks.get(b"cHRM", b"")) == 32:
        x, y, *rest = (value / 100_000 for value in struct.unpack(">8I", chunks[b"cHRM"]))
        points = (*zip(rest[::2], rest[1::2], strict=True), (x, y))
        area = abs((points[1][0] - points[0][0]) * (points[2][1] - points[0][1]))
        if min(y for _, y in points) < 0.01 or area < 0.01 or max(max(p) for p in points) > 1:
            return None
    return colour.Space(points, 1 / gamma)


def is_adobe(image: Image.Image) -> bool:
    """Does EXIF name the optional colour space of cameras (interoperability R03), which is Adobe RGB?"""
    try:
        exif = image.getexif()
        return str(exif.get_ifd(ExifTags.IFD.Interop).get(1, "")).startswith("R03")
    except Exception:  # EXIF is a file of its own, and may be damaged in as many ways
        return False


def is_damaged_jpeg(data: bytes) -> bool:
    """Does a stricter decoder refuse it? Pillow's goes on over damage without a word, and JPEG has no check sums.

    None of 80 photographs are refused; arithmetic coding, which that decoder does not know, is left alone.
    """
    if not data.startswith(b"\xff\xd8") or any(mark in data for mark in (b"\xff\xc9", b"\xff\xca")):
        return False
    try:
        with av.open(io.BytesIO(data), "r", format="jpeg_pipe") as container:
            context = container.streams.video[0].codec_context
            context.options = {"err_detect": "explode"}
            next(container.decode(video=0))
    except av.error.InvalidDataError:
        return True
    except (av.error.FFmpegError, OSError, ValueError, StopIteration, IndexError):
        return False
    return False


def _chunks(head: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG before its pixels."""
    found: dict[bytes, bytes] = {}
    at = len(PNG)
    while head.startswith(PNG) and at + 8 <= len(head):
        size, kind = struct.unpack(">I4s", head[at : at + 8])
        if kind in (b"IDAT", b"IEND"):
            break
        found.setdefault(kind, head[at + 8 : at + 8 + size])
        at += 12 + size
    return found
