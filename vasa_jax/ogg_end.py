"""Whether an Ogg file is there to its end: only its last page says that it is the last.

Ogg has no length to compare with. A file that was cut off, or whose last page is damaged, would lose its end in
silence.
"""

import functools
import os

from vasa_jax.paths import PathLike

_LONGEST = 27 + 255 + 255 * 255
_END = 4  # bit of the header's type (RFC 3533, 6)


def complete(path: PathLike) -> bool:
    """Whether the last page bears the end mark and is whole."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 2 * _LONGEST))
        data = file.read()
    at = data.rfind(b"OggS")
    page = data[at:]
    if at < 0 or len(page) < 27 or not page[5] & _END or len(page) < 27 + page[26]:
        return False
    length = 27 + page[26] + sum(page[27 : 27 + page[26]])
    page = page[:length]
    return len(page) == length and _checksum(page[:22] + bytes(4) + page[26:]) == int.from_bytes(page[22:26], "little")


@functools.cache
def _table() -> tuple[int, ...]:
    rows = []
    for byte in range(256):
        value = byte << 24
        for _ in range(8):
            value = (value << 1 ^ (0x04C11DB7 if value & 1 << 31 else 0)) & 0xFFFFFFFF
        rows.append(value)
    return tuple(rows)


def _checksum(data: bytes) -> int:
    table, value = _table(), 0
    for byte in data:
        value = (value << 8 & 0xFFFFFFFF) ^ table[value >> 24 ^ byte]
    return value
