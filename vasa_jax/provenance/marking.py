"""What every frame of a stream carries when it leaves: the visible badge, if it is wanted, and the watermark over it.

    marks = Marks(badge=True)      # one a stream
    frame = marks(frame)           # the next frame, as the last step before an encoder or a user

`inference.video` does the same to the frames of files.
"""

import functools

import numpy as np
from jaxtyping import UInt8

from vasa_jax.provenance import badge as badges
from vasa_jax.provenance import keys, watermark


class Marks:
    """Marks the frames of one stream, in their order, with the name of this installation's key.

    Attributes:
      badge: whether the badge is drawn.
      count: frames so far, which is the time of the watermark.
    """

    def __init__(self, badge: bool = True) -> None:
        self.badge, self.count = badge, 0

    @functools.cached_property
    def key_id(self) -> int:
        """Read at the first frame: the key is made where there is none."""
        return keys.signing_key().key_id

    def __call__(self, frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The next frame as it may leave."""
        shown = badges.draw(frame) if self.badge else frame
        marked = watermark.mark_frame(shown, self.key_id, self.count)
        self.count += 1
        return marked
