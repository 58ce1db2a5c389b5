"""Error where the face talks: mean absolute difference inside boxes about mouth and eyes.

Over the whole image, repeating the first frame scores 28-37 dB on GRID: heads hardly move.
"""

import numpy as np
from jaxtyping import Bool, Float

from vasa_jax import landmarks

MARGIN = 0.06
"""Added to the points' extent on every side, crop-normalised (half crop widths)."""
_GROUPS = {"mouth": (("lips_outer",),), "eyes": (("eye_left",), ("eye_right",))}


def region_masks(points: Float[np.ndarray, "t k 3"], size: int) -> dict[str, Bool[np.ndarray, "t h w"]]:
    """Pixels of a size x size image inside the boxes of {"mouth", "eyes"}, by their centres.

    Args:
      points: face points, crop-normalised: the image spans -1..1.
    """
    centres = (np.arange(size) + 0.5) * 2 / size - 1
    masks = {}
    for name, boxes in _GROUPS.items():
        masks[name] = np.zeros((len(points), size, size), bool)
        for groups in boxes:
            part = np.concatenate([points[:, landmarks.SLICES[g], :2] for g in groups], 1)
            low, high = part.min(1) - MARGIN, part.max(1) + MARGIN
            inside = (centres[None, :, None] >= low[:, None]) & (centres[None, :, None] <= high[:, None])
            masks[name] |= inside[:, :, None, 1] & inside[:, None, :, 0]
    return masks


def region_error(
    made: Float[np.ndarray, "t h w 3"], real: Float[np.ndarray, "t h w 3"], points: Float[np.ndarray, "t k 3"]
) -> dict[str, float]:
    """L1 error of images in 0..1 inside the boxes of the real face's points: {"mouth", "eyes", "whole"}.

    Every frame counts alike; frames whose boxes lie outside the image are left out.
    """
    difference = np.abs(made - real).mean(-1)
    errors = {"whole": float(difference.mean())}
    for name, mask in region_masks(points, made.shape[1]).items():
        area = mask.sum((1, 2))
        there = area > 0
        each = (difference * mask).sum((1, 2))[there] / area[there]
        errors[name] = float(each.mean()) if there.any() else float("nan")
    return errors
