"""A configuration at a size of nothing: the same program, with layers, images and batches made small.

    shrink(config, size=64)     # two or three layers of eight channels each, images of 64 px

For tests, and for the quick form of a recipe.
"""

import math
from collections.abc import Callable
from typing import Any

SIZE = 32  # of images
CHANNELS = 8
PLANES = 4  # of volumes


def shrink(config: Any, size: int = SIZE) -> None:
    """Makes `config` (ConfigDict, not locked) small in place: same losses, same kinds of layers, same steps.

    Args:
      config: of any task; its `data.size`, where it has one, follows.
      size: side of the model's images, a power of two.
    """
    from data_pipelines import schema

    _SHRINK[config.task](config, size)
    if "size" in config.data:
        config.data.size = schema.stored_size(config.model.size)


def _narrow(widths: tuple[int, ...], keep: int | None = None) -> tuple[int, ...]:
    """As many layers (or the last `keep` of them), none wider than CHANNELS."""
    return tuple(min(width, CHANNELS) for width in widths[-keep if keep else None :])


def _shrink_face(config: Any, size: int) -> None:
    """The volume keeps its share of the image's side, so that the same number of layers leads into and out of it."""
    model = config.model
    side = 2 ** (len(model.warp.widths) + 1) * size // model.size
    model.size = model.face_size = size
    model.appearance.update({"stem": CHANNELS, "widths": _narrow(model.appearance.widths), "blocks_3d": 1})
    planes, model.appearance.volume = model.appearance.volume[0], (PLANES, CHANNELS)
    for tower in (model.identity, model.pose, model.dynamics):
        _shrink_tower(tower, size)
    model.identity.features = model.dynamics.features = CHANNELS
    warps = _narrow(model.warp.widths, int(math.log2(side)) - 1)
    model.warp.update({"widths": warps, "depth": PLANES, "features": CHANNELS})
    model.canonical.widths = _narrow(model.canonical.widths)
    if "middle" in model.canonical:
        depths = tuple(depth * PLANES // planes for depth in model.canonical.depths)
        model.canonical.update({"middle": _narrow(model.canonical.middle), "depths": depths})
    model.generator.update({"base": CHANNELS, "blocks": 1, "widths": _narrow(model.generator.widths)})
    if "cells" in model.generator:
        model.generator.cells = CHANNELS
    config.discriminator.update({"widths": _narrow(config.discriminator.widths, 2), "scales": 1})


def _shrink_tower(tower: Any, size: int) -> None:
    """Two layers instead of many: how deep towers compile says nothing of training, and takes minutes."""
    if "size" in tower:
        tower.size = size
    if "resnet" in tower:
        del tower["resnet"]
        tower.blocks = 1
        tower.widths = (CHANNELS, CHANNELS)
    tower.widths = _narrow(tower.widths, 2)


def _shrink_pose(config: Any, size: int) -> None:
    config.model.size = size
    _shrink_tower(config.model.pose, size)


def _shrink_motion(config: Any, size: int) -> None:
    small = {"width": 16, "depth": 2, "heads": 2, "window": 12, "context": 4, "lookahead": 2}
    config.model.update(small | {"bands": 16, "audio_blocks": 1, "motion_dim": 7 + CHANNELS})


_SHRINK: dict[str, Callable[[Any, int], None]] = {
    "face": _shrink_face,
    "dynamics": _shrink_face,
    "generator": _shrink_face,
    "pose": _shrink_pose,
    "motion": _shrink_motion,
}
