"""Where the camera changes: cuts between images, found on images of a few dozen pixels.

Two signs must agree. A cut changes the colours of the image (its histogram) and changes them at once in most places
(the mean difference of pixels). A head that turns keeps the histogram; a lamp switched on keeps the edges where they
were but passes for a cut, which costs a clip in two and nothing else. Dissolves are not found: tracks end at them.
"""

from collections.abc import Iterable, Iterator

import cv2
import numpy as np
from jaxtyping import Float, UInt8

WIDTH, HEIGHT = 48, 32
_BINS = 8
HISTOGRAM, DIFFERENCE = 0.25, 0.08
"""Share of the pixels that change their colour bin, and mean change of brightness (0..1), which both a cut exceeds."""
_TIMES_USUAL = 4.0  # and the change is so many times that of the second about it: a moving camera changes all the time
_AROUND = 12


class Watch:
    """Looks at images as they go by; `cuts` says where new shots begin.

    Attributes:
      changes: [t, 2] histogram and pixel change from the image before, one row an image; the first is zero.
    """

    def __init__(self):
        self._rows: list[tuple[float, float]] = []
        self._last: tuple[np.ndarray, np.ndarray] | None = None
        self._seen: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self._rows)

    def over(self, images: Iterable[UInt8[np.ndarray, "h w 3"]]) -> Iterator[UInt8[np.ndarray, "h w 3"]]:
        """Passes the images on, having looked at each."""
        for image in images:
            self._rows.append(self._change(image))
            yield image

    def _change(self, image: np.ndarray) -> tuple[float, float]:
        if image is self._seen:  # repeated, where the video has fewer than 25 a second
            return 0.0, 0.0
        self._seen = image
        now = small_view(image)
        change = (0.0, 0.0) if self._last is None else difference(self._last, now)
        self._last = now
        return change

    @property
    def changes(self) -> Float[np.ndarray, "t 2"]:
        """See the class."""
        return np.asarray(self._rows, np.float64).reshape(-1, 2)

    def cuts(self) -> list[int]:
        """Indices of the first images of new shots."""
        return find_cuts(self.changes)


def small_view(image: UInt8[np.ndarray, "h w 3"]) -> tuple[np.ndarray, np.ndarray]:
    """(colour histogram [bins^3] of sum 1, brightness [32, 48] in 0..1) of an image."""
    small = cv2.resize(image, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
    codes = (small // (256 // _BINS)).astype(np.int32)
    codes = (codes[..., 0] * _BINS + codes[..., 1]) * _BINS + codes[..., 2]
    histogram = np.bincount(codes.ravel(), minlength=_BINS**3) / codes.size
    return histogram, small.mean(-1) / 255


def difference(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    """(share of pixels in another colour bin, mean change of brightness) between two small views."""
    return float(np.abs(a[0] - b[0]).sum() / 2), float(np.abs(a[1] - b[1]).mean())


def find_cuts(changes: Float[np.ndarray, "t 2"]) -> list[int]:
    """Where both changes exceed their limits, and the pixels' change what is usual about that place."""
    found = []
    for k in np.flatnonzero((changes[:, 0] > HISTOGRAM) & (changes[:, 1] > DIFFERENCE)):
        around = np.concatenate([changes[max(1, k - _AROUND) : k, 1], changes[k + 1 : k + 1 + _AROUND, 1]])
        if not len(around) or changes[k, 1] > _TIMES_USUAL * np.median(around):
            found.append(int(k))
    return found
