"""How much colour there is: what is painted into the video of a grey portrait must stay grey."""

import numpy as np
from jaxtyping import Bool, UInt8

PERCENTILE = 99.8
"""Of the pixels: a coloured mouth is about one pixel in a hundred, a coloured eye one in three hundred."""


def chroma(images: UInt8[np.ndarray, "*t h w 3"]) -> UInt8[np.ndarray, "*t h w"]:
    """Largest less smallest of red, green and blue, 0 (grey) .. 255."""
    return images.max(-1) - images.min(-1)


def highest(images: UInt8[np.ndarray, "t h w 3"], seen: Bool[np.ndarray, "h w"] | None = None) -> float:
    """`PERCENTILE` of the chroma of all pixels of all images; of those `seen` only, where that is given."""
    values = chroma(images)
    return float(np.percentile(values if seen is None else values[:, seen], PERCENTILE))
