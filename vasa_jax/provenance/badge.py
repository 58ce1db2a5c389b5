"""The visible "AI" badge, top right: readable at 128 pixels and above, small enough to leave the face alone."""

import functools

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw

_OVERSAMPLE = 8
_LEAST_HEIGHT = 12  # pixels: below this the letters close up
# Strokes in a box of 1 x 1, x right, y down.
_A = (((0.04, 1.0), (0.5, 0.0)), ((0.5, 0.0), (0.96, 1.0)), ((0.2, 0.66), (0.8, 0.66)))
_I = (((0.5, 0.0), (0.5, 1.0)),)


@functools.cache
def mask(height: int, width: int) -> tuple[slice, slice, Float[np.ndarray, "y x 1"], Float[np.ndarray, "y x 3"]]:
    """Where the badge lies in an image of that size, its opacity, and its colour already weighted by the opacity."""
    tall = max(_LEAST_HEIGHT, round(0.075 * min(height, width)))
    wide, gap = round(1.7 * tall), max(2, round(0.3 * tall))
    k = _OVERSAMPLE
    plate = Image.new("L", (wide * k, tall * k))
    ImageDraw.Draw(plate).rounded_rectangle((0, 0, wide * k - 1, tall * k - 1), radius=0.28 * tall * k, fill=255)
    text = Image.new("L", plate.size)
    draw = ImageDraw.Draw(text)
    letter, thick = 0.6 * tall * k, max(1.35 * k, 0.115 * tall * k)
    for strokes, left, spread in ((_A, 0.24, 1.0), (_I, 0.68, 0.28)):
        for ends in strokes:
            points = [(left * wide * k + x * spread * letter, (0.2 * tall * k) + y * letter) for x, y in ends]
            draw.line(points, fill=255, width=round(thick))
    shrink = [np.asarray(p.resize((wide, tall), Image.Resampling.BOX), np.float32) / 255 for p in (plate, text)]
    opacity = np.maximum(0.72 * shrink[0], shrink[1])[..., None]
    colour = 255 * shrink[1][..., None] * np.ones(3, np.float32)  # white letters on black
    return slice(gap, gap + tall), slice(width - gap - wide, width - gap), opacity, colour


def draw(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of the frame with the badge; a frame too small to hold it comes back as it is."""
    rows, columns, opacity, colour = mask(*frame.shape[:2])
    if rows.stop > frame.shape[0] or columns.start < 0:
        return frame
    out = frame.copy()
    out[rows, columns] = np.round(out[rows, columns] * (1 - opacity) + colour).astype(np.uint8)
    return out
