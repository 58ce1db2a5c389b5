"""Pictures for the eye: the real frames above, what the model made below."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from vasa_jax import files

EVERY = 6
ROWS = 6
"""Of an image sheet."""
_GAP = 6
_HEAD = 16
_INK = (40, 40, 40)


def filmstrip(
    source: UInt8[np.ndarray, "s s 3"], real: UInt8[np.ndarray, "t s s 3"], made: UInt8[np.ndarray, "t s s 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The source at the left, then every sixth real frame with the made one below it."""
    at = np.arange(0, min(len(real), len(made)), EVERY)
    s = source.shape[0]
    strip = np.full((2 * s, s + _GAP + len(at) * s, 3), 255, np.uint8)
    strip[:s, :s] = source
    for place, k in enumerate(at):
        left = s + _GAP + place * s
        strip[:s, left : left + s], strip[s:, left : left + s] = real[k], made[k]
    return strip


def sheet(rows: Sequence[UInt8[np.ndarray, "n s s 3"]], titles: Sequence[str]) -> UInt8[np.ndarray, "h w 3"]:
    """Pictures in rows, with a title over every column."""
    side = rows[0].shape[1]
    head = Image.new("RGB", (side * len(titles), _HEAD), "white")
    for k, title in enumerate(titles):
        ImageDraw.Draw(head).text((k * side + 3, 2), title, fill=_INK)
    return np.concatenate([np.asarray(head), *(np.concatenate(list(row), 1) for row in rows)])


def save(path: Path, strips: Sequence[UInt8[np.ndarray, "h w 3"]]) -> None:
    """Writes strips one below the other as one PNG, or, if the path says so, as a JPEG."""
    width = max(strip.shape[1] for strip in strips)
    rows = [np.pad(s, ((0, _GAP), (0, width - s.shape[1]), (0, 0)), constant_values=255) for s in strips]
    path.parent.mkdir(parents=True, exist_ok=True)
    with files.replacing(path) as temporary:
        kind = {"quality": 88, "format": "JPEG"} if path.suffix == ".jpg" else {"format": "PNG"}
        Image.fromarray(np.concatenate(rows)).save(temporary, **kind)
