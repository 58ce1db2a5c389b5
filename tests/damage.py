"""Files that are torn on purpose, by seed."""

import random
from pathlib import Path


def overwritten(path: Path, target: Path, at: float, count: int, zeros: bool = False, seed: int = 0) -> Path:
    """A copy with `count` bytes at this share of it that are random, or zeros."""
    data = bytearray(path.read_bytes())
    start = int(at * len(data))
    data[start : start + count] = bytes(count) if zeros else random.Random(seed).randbytes(count)
    target.write_bytes(data)
    return target


def mutated(data: bytes, seed: int) -> bytes:
    """One of the ways in which files go wrong: bits flipped, stretches overwritten, cut out, doubled, cut off."""
    rng, out = random.Random(seed), bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        kind = rng.randrange(7)
        at = rng.randrange(len(out) if rng.random() < 0.7 else min(len(out), 256))  # headers above their share
        length = min(len(out) - at, rng.choice((1, 4, 64, 1024, len(out) // 8)))
        if kind == 0:
            for _ in range(rng.choice((1, 8, 64))):
                out[rng.randrange(len(out))] ^= 1 << rng.randrange(8)
        elif kind == 1:
            out[at : at + length] = rng.randbytes(length)
        elif kind == 2:
            out[at : at + length] = bytes(length)
        elif kind == 3 and length < len(out):
            del out[at : at + length]
        elif kind == 4:
            out[at:at] = out[at : at + length]
        elif kind == 5:
            out[at : at + 4] = rng.choice((b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0", b"\0\0\0\1"))
        else:
            del out[max(at, 1) :]
    return bytes(out)
