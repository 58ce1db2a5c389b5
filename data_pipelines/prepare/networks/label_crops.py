"""Labels a clip from its head crops, which the preparation cuts out of a video while it reads it."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Float, UInt8

from data_pipelines import schema
from data_pipelines.prepare.networks.frame_network import FrameNetwork, Frames

CROP_SIZE = 384
"""Pixels of a crop for the networks, margin included: the face is about 200 high."""
CHUNK = 50
"""Crops in memory at a time, 22 MB, however long the clip."""


def label_crops(
    networks: Sequence[FrameNetwork], crops: Frames, points: Float[np.ndarray, "t k 3"], size: int
) -> dict[str, np.ndarray]:
    """All that the networks say of a clip, to be laid over the labels of `labels.label_frames`.

    Args:
      networks: where two give the same label, the later one counts.
      crops: t images uint8 [s, s, 3] that span -MARGIN..MARGIN, as `crops.cut` makes them; s = CROP_SIZE is best.
      points: crop-normalised, finite everywhere.
      size: side of the mattes in pixels: that of the stored images.

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


class ClipLabels:
    """What the networks say of a clip whose images come one by one.

    Args:
      networks: see `label_crops`.
      points: [t, K, 3] of the whole clip, crop-normalised, finite everywhere.
      size: side of the mattes in pixels.
    """

    def __init__(self, networks: Sequence[FrameNetwork], points: Float[np.ndarray, "t k 3"], size: int):
        self._networks, self._points, self._size = networks, points, size
        self._crops: list[np.ndarray] = []
        self._done = 0
        self._parts: list[dict[str, np.ndarray]] = []

    def add(self, crop: UInt8[np.ndarray, "s s 3"]) -> None:
        """Takes the crop of the next image."""
        self._crops.append(crop)
        if len(self._crops) == CHUNK:
            self._label()

    def labels(self) -> dict[str, np.ndarray]:
        """As `label_crops`, of all crops added; `emotion` is the clip's mean in every frame, as VASA-1 averages it."""
        self._label()
        whole = {name: np.concatenate([part[name] for part in self._parts]) for name in self._parts[0]}
        if "emotion" in whole:
            whole["emotion"] = np.tile(whole["emotion"].mean(0), (self._done, 1))
        return whole

    def _label(self) -> None:
        if not self._crops:
            return
        end = self._done + len(self._crops)
        self._parts.append(label_crops(self._networks, self._crops, self._points[self._done : end], self._size))
        self._done, self._crops = end, []
