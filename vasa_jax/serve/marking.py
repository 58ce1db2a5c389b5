"""The one door that every live frame goes through on its way out: WebSocket, WebRTC and voice agents alike."""

import numpy as np
from jaxtyping import UInt8

from vasa_jax.provenance import badge


def marked(frame: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """The frame as it may leave this machine: with the visible badge."""
    return badge.draw(frame)
