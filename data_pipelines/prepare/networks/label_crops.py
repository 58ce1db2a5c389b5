"""Labels a clip from its head crops: what the preparation keeps of a video while it reads it."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float

from data_pipelines import schema
from data_pipelines.prepare.networks.frame_network import FrameNetwork

CROP_SIZE = 384
"""Pixels of a crop for the networks, margin included: the face is about 200 high, and 10 s are 110 MB."""


def label_crops(
    networks: Sequence[FrameNetwork], crops: Sequence[np.ndarray], points: Float[np.ndarray, "t k 3"], size: int
) -> dict[str, np.ndarray]:
    """All that the networks say of a clip, to be laid over the labels of `labels.label_frames`.

    Args:
      networks: where two give the same label, the later one counts.
      crops: t pictures uint8 [s, s, 3] that span -MARGIN..MARGIN, as `crops.cut` makes them; s = CROP_SIZE is best.
      points: crop-normalised, finite everywhere.
      size: side of the mattes in pixels: that of the stored pictures.

    Returns:
      Label -> array [t, ...]; "matte" is uint8 [t, size, size].
    """
    if not networks:
        return {}
    side = crops[0].shape[0]
    # z = 0 stays 0; only its unit changes.
    pixels = (points + [schema.MARGIN, schema.MARGIN, 0.0]) * (side / (2 * schema.MARGIN))
    labels: dict[str, np.ndarray] = {}
    for network in networks:
        labels |= network(crops, pixels)
    if "matte" in labels:
        labels["matte"] = np.stack([cv2.resize(m, (size, size), interpolation=cv2.INTER_AREA) for m in labels["matte"]])
    return labels
